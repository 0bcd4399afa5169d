#pragma once

#include <map>
#include <string>

#include "ropeline/jit.h"

namespace ropeline::jit {

/// A source with every include that could be found: the texts say `#include "name"` by the names used here.
struct Program {
  std::string name;
  std::string text;
  std::vector<std::string> kernels;
  std::map<std::string, std::string> headers;
};

/// Follows the includes of a source. Throws jit::Error with stage `source` for a source without name, text or kernels.
Program resolve(const Source& source);

}  // namespace ropeline::jit
