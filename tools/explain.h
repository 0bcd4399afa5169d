#pragma once

#include <string>

#include "tools/programs.h"

namespace ropeline::tools {

/// `ropeline cache explain`: for each program where it is found, or the nearest entry and what their keys differ by.
std::string explain(const ProgramWords& words);

}  // namespace ropeline::tools
