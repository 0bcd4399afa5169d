#pragma once

#include <cstdint>
#include <string>

#include "tools/spec_source.h"

namespace ropeline::tools {

/// The words of `ropeline run`.
struct RunWords {
  std::string op;  ///< empty: the one in the tensors' file, or qk_norm_rope
  SpecWords spec;
  std::string tensors;          ///< safetensors file; empty = made up from the seed
  std::string out;              ///< safetensors file to write; empty = none
  std::string device = "cpu";   ///< "cuda", "cuda:1"
  std::string target = "best";  ///< of a CPU
  std::int64_t tokens = 16, first_position = 0;
  std::uint64_t seed = 1;
  int threads = 1;
};

/// Runs one call, of the spec in the tensors' file when the words say nothing of a spec, and returns what is printed:
/// op, spec, device, time, and a summary of each output.
std::string run(RunWords words);

}  // namespace ropeline::tools
