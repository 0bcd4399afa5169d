#pragma once

#include <filesystem>
#include <string>

#include "ropeline/frequencies.h"
#include "ropeline/spec.h"

namespace ropeline::tools {

/// The command line's words for a spec; see `ropeline run --help`. One of config, spec and flags speaks.
struct SpecWords {
  std::string config;  ///< path of a model's config.json, or a published name
  int layer = 0;
  std::string spec;  ///< JSON, or @path of a file with it

  int q = 0, k = 0, head_dim = 128;
  std::string norm = "rms";  ///< rms, none
  float eps = 1e-6f, weight_offset = 0;
  bool no_weight = false;
  int rotary_dim = -1;  ///< -1: head_dim
  double theta = 10000;
  std::string style = "neox", angles = "frequencies";
  std::string dtype = "bf16", rounding = "fused";

  bool operator==(const SpecWords&) const = default;
};

/// A spec, and the frequencies behind its rows where it reads rows.
struct SourcedSpec {
  Spec spec;
  Frequencies frequencies;
};

/// Throws Error{invalid_argument} that names the flag or the field.
SourcedSpec spec_of(const SpecWords& words);

/// That of the config's layer.
SourcedSpec layer_of(const SpecWords& words);

/// The JSON of a word: itself, or the text of a file (@path).
std::string json_in(const std::string& word);

/// Whether a word for a model is a path (it has a slash, or ends with .json) and no published name.
bool names_file(const std::string& word);

/// The text of a config.json: of that file, or of the published model.
std::string config_of(const std::string& word);

/// bf16, fp16 or fp32. Throws Error{invalid_argument} that names --dtype.
DType dtype_of(const std::string& word);

/// The whole text of a file. Throws Error{invalid_argument} when it cannot be read.
std::string text_of(const std::filesystem::path& path);

}  // namespace ropeline::tools
