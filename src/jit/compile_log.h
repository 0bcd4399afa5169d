#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ropeline/jit.h"

namespace ropeline::jit {

/// Fills in registers, stack, spills and shared memory of each kernel from what ptxas -v wrote into the log.
void read_facts(std::string_view log, std::vector<KernelFacts>& kernels);

/// The log without ptxas's figures: warnings and errors.
std::string without_figures(std::string_view log);

/// "13.0.88", from the line by which the compiler signs cubins and PTX; "major.minor" when there is none.
std::string compiler_of(std::string_view image, int major, int minor);

}  // namespace ropeline::jit
