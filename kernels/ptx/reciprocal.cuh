#pragma once

#include "kernels/core/device.cuh"

namespace ropeline::kernel::ptx {

/// 1/a, correctly rounded, subnormals kept.
ROPELINE_DEVICE float reciprocal(float a) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("rcp.rn.f32 %0, %1;" : "=f"(y) : "f"(a));
  return y;
#else
  return 1.0f / a;
#endif
}

}  // namespace ropeline::kernel::ptx
