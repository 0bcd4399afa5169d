#pragma once

#include <functional>
#include <vector>

#include "tools/programs.h"

namespace ropeline::tools {

/// Compiles programs into the cache folder in up to `jobs` processes: within one process the compiler takes turns with
/// itself. `done` is called here with the index of each program that was compiled, and its milliseconds, in the order
/// in which they end. A program that does not compile is left out: whoever builds it next is told why.
void compile_jobs(const std::vector<Wanted>& programs, int jobs, const std::function<void(std::size_t, double)>& done);

}  // namespace ropeline::tools
