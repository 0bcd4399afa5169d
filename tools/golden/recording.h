#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/safetensors.h"

namespace ropeline::tools::golden {

/// One stream of a recorded layer: "q", "k", "v", or one of a second attention ("iq", "tk", "kx").
struct RecordedStream {
  std::string name;
  std::string input;  ///< tensor that it starts from: "q_in"
  int heads = 0;
  bool rotated = false;  ///< its outputs differ with positions, and are recorded once for each set
  nlohmann::json steps;  ///< as check_golden.py spells them

  /// Which stream of a spec it becomes: 'q', 'k' or 'v'.
  char role() const;
  /// Which streams belong together: "" for q, k, v, "i" for iq, ik, "t" for tq, tk, "x" for kx.
  std::string family() const;
};

/// The cos and sin of a layer, and where they came from.
struct RecordedTable {
  std::string name;
  std::string layout;         ///< half_dup, repeat, half, full
  std::string position_kind;  ///< 1d, mrope_interleaved, axial, explicit ...
  double attention_scaling = 1;
  std::vector<int> sections;  ///< of M-RoPE
  int rotated_pairs = 0;      ///< of proportional frequencies
  nlohmann::json rope_parameters;
};

struct RecordedLayer {
  std::string name;
  std::string table;                                     ///< empty when nothing rotates
  std::map<std::string, std::vector<std::string>> sets;  ///< "bf16" -> {"small", "mid", "long"}
  std::vector<RecordedStream> streams;
};

/// One golden file: tests/golden/README.md says what is in it.
class Recording {
 public:
  /// Throws Error{invalid_argument} for a file without `golden` metadata, or with metadata of another form.
  static Recording read(const std::filesystem::path& path);

  const std::string& family() const noexcept { return family_; }
  const std::vector<RecordedLayer>& layers() const noexcept { return layers_; }
  const RecordedTable& table(const std::string& name) const { return tables_.at(name); }
  const std::map<std::string, RecordedTable>& tables() const noexcept { return tables_; }
  const SafeTensors& file() const noexcept { return file_; }

 private:
  SafeTensors file_;
  std::string family_;
  std::vector<RecordedLayer> layers_;
  std::map<std::string, RecordedTable> tables_;
};

}  // namespace ropeline::tools::golden
