#pragma once

#include <string>

namespace ropeline::tools {

/// What `ropeline info` prints: version, instruction sets, devices, model families, and which steps this version runs.
std::string info();

}  // namespace ropeline::tools
