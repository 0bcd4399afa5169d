#pragma once

// FP8 E4M3: codes of 8 bits.

#include "kernels/core/device.cuh"
#include "kernels/shared/fp8.h"

namespace ropeline::kernel::ptx {

/// Two codes in the low half of a word, the first element in memory lowest: to nearest even, saturating, NaN to 0x7f.
ROPELINE_DEVICE uint32_t pack_e4m3(float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  uint16_t codes;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(codes) : "f"(high), "f"(low));
  return codes;
#else
  return fp32_to_e4m3(low) | fp32_to_e4m3(high) << 8;
#endif
}

/// One code.
ROPELINE_DEVICE void store_1(void* at, uint32_t code) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.u8 [%0], %1;" ::"l"(at), "r"(code) : "memory");
#else
  *static_cast<unsigned char*>(at) = static_cast<unsigned char>(code);
#endif
}

}  // namespace ropeline::kernel::ptx
