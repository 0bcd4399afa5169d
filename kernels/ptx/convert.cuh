#pragma once

// Conversions of the 16-bit types, two at a time: the low half of a word is the first element in memory.

#include "kernels/core/device.cuh"
#include "kernels/shared/numbers.h"

namespace ropeline::kernel::ptx {

/// To nearest even; NaN stays NaN.
ROPELINE_DEVICE uint32_t pack_bf16(float low, float high) {
#if defined(__CUDA_ARCH__)
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
#else
  return fp32_to_bf16(low) | static_cast<uint32_t>(fp32_to_bf16(high)) << 16;
#endif
}

/// To nearest even, to infinity beyond the range; NaN stays NaN.
ROPELINE_DEVICE uint32_t pack_fp16(float low, float high) {
#if defined(__CUDA_ARCH__)
  uint32_t word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
#else
  return fp32_to_fp16(low) | static_cast<uint32_t>(fp32_to_fp16(high)) << 16;
#endif
}

/// Exact.
ROPELINE_DEVICE float widen_fp16(uint16_t half) {
#if defined(__CUDA_ARCH__)
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(half));
  return x;
#else
  return fp16_to_fp32(half);
#endif
}

}  // namespace ropeline::kernel::ptx
