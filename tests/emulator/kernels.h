#pragma once

#include <string>

#include "emulator/block.h"
#include "kernels/shared/qk_norm_rope_launch.h"

/// The kernels that this program was built with, by the name that NVRTC would be asked for.
namespace ropeline::emulator {

using Run = void (*)(Index blocks, Index threads, const Conditions& conditions,
                     const kernel::QkNormRopeLaunch& argument);

/// Null for a name that was not built.
Run find_kernel(const std::string& name);

/// Adds one; the generated sources do.
struct Registration {
  Registration(const char* name, Run run);
};

}  // namespace ropeline::emulator
