#pragma once

// The fp32 operations of the rounding contract: one rounding each, never contracted or reassociated.

#include "kernels/core/device.cuh"

namespace ropeline::kernel {

ROPELINE_DEVICE float mul(float a, float b) { return __fmul_rn(a, b); }
ROPELINE_DEVICE float add(float a, float b) { return __fadd_rn(a, b); }
ROPELINE_DEVICE float sub(float a, float b) { return __fadd_rn(a, -b); }
ROPELINE_DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }

}  // namespace ropeline::kernel
