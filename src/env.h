#pragma once

#include <optional>
#include <string>

namespace ropeline::env {

// Every environment variable that Ropeline reads is read in env.cpp, and listed in the table of docs/environment.md.

/// ROPELINE_CPU_TARGET: the instruction set that CpuTarget::best stands for.
std::optional<std::string> cpu_target();

/// ROPELINE_THREADS: threads of the library's own pool at the first call.
std::optional<std::string> threads();

}  // namespace ropeline::env
