#pragma once

#include "driver.h"

namespace ropeline::cuda {

/// Queues a kernel through cuLaunchKernelEx: a function of the current context, or a kernel's handle, which the driver
/// accepts as one. Throws jit::Error with stage `launch` that says the launch.
void launch(const Driver& driver, Function function, const jit::Launch& how, const void* const* arguments,
            const std::string& name);

}  // namespace ropeline::cuda
