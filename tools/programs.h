#pragma once

#include <string>
#include <vector>

#include "ropeline/jit.h"

namespace ropeline::tools {

/// The command line's words for programs to compile; see `ropeline warm --help`.
struct ProgramWords {
  std::vector<std::string> models;                  ///< published names, paths of config.json files, or "all"
  std::vector<std::string> specs;                   ///< of the one op: JSON, or @path of a file with it
  std::vector<std::string> ops = {"qk_norm_rope"};  ///< of op_names()
  std::vector<std::string> dtypes = {"bf16"};
  std::vector<std::string> angles = {"rows"};     ///< rows, frequencies, cache
  std::vector<std::string> rounding = {"model"};  ///< model, fused
  std::vector<int> tensor_parallel = {1};         ///< into how many parts the heads are divided
  std::vector<std::string> architectures;         ///< empty: this machine's GPUs, or kCommonArchitectures
};

inline const std::vector<std::string> kCommonArchitectures = {"sm_80", "sm_90", "sm_100", "sm_120"};

/// A program, and whose it is: "qwen3-8b bf16".
struct NamedSource {
  std::string name;
  jit::Source source;
};

/// A program, for one architecture.
struct Wanted {
  std::string name;  ///< whose it is: "qwen3-8b bf16"
  std::string architecture;
  jit::Source source;
};

/// The distinct programs of all layers of the models and of the specs, for each architecture. Models that share a
/// program share its name. Throws Error{invalid_argument} that names the flag, or the model and its field.
std::vector<Wanted> programs_of(const ProgramWords& words);

/// The architectures of this machine's GPUs, or kCommonArchitectures where there are none.
std::vector<std::string> default_architectures();

}  // namespace ropeline::tools
