#pragma once

#include <string>
#include <vector>

#include "digest.h"
#include "program.h"

namespace ropeline::jit {

/// Everything that the code of a program depends on, and its digest.
struct Key {
  std::string text;
  Digest digest;
  std::vector<std::string> flags;  ///< what the compiler is told, the architecture included
};

/// The key for one architecture. `compiler` is the pinned version, empty when the key does not depend on it.
/// Throws jit::Error with stage `source` for an architecture or a flag that cannot be right.
Key make_key(const Program& program, const std::string& architecture, const Options& options,
             const std::string& compiler);

/// Throws unless it is sm_ or compute_ with digits, and for sm_ an optional suffix a or f.
void check_architecture(const std::string& architecture);

}  // namespace ropeline::jit
