#pragma once

#include <string>
#include <vector>

#include "ropeline/spec.h"

namespace ropeline::aot {

/// The specs of a file such as aot/specs.txt: JSON, one a line; empty lines and lines that begin with # say nothing.
/// Throws Error that names the file and the line.
std::vector<Spec> specs_in(const std::string& path);

}  // namespace ropeline::aot
