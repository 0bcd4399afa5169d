#pragma once

#include "driver.h"

namespace ropeline::cuda {

/// Queues a kernel through cuLaunchKernelEx. Throws jit::Error with stage `launch` that says the launch.
void launch(const Driver& driver, KernelHandle kernel, const jit::Launch& how, const void* const* arguments,
            const char* name);

}  // namespace ropeline::cuda
