#pragma once

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"
#if !defined(__CUDACC__)
#include <cmath>
#endif

namespace ropeline::kernel::ptx {

/// 1/sqrt(a) to a relative error of about 2^-22.9; subnormals count as zeros. The contract never depends on which of
/// the possible results it is.
ROPELINE_DEVICE float rsqrt_approx(float a) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(a));
  return y;
#elif defined(ROPELINE_EMULATOR)
  return emulator::rsqrt_approx(a);
#else
  return a;
#endif
}

/// The smaller one; of a number and a NaN the number.
ROPELINE_DEVICE float min(float a, float b) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("min.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
#else
  return a < b ? a : b;
#endif
}

/// `yes` where a and b have a bit in common, else `no`: one LOP3 that sets a predicate, and one FSEL.
ROPELINE_DEVICE float select_common(uint32_t a, uint32_t b, float yes, float no) {
#if defined(__CUDA_ARCH__)
  float y;
  asm("{.reg .pred p; .reg .b32 t; and.b32 t, %1, %2; setp.ne.u32 p, t, 0; selp.f32 %0, %3, %4, p;}"
      : "=f"(y)
      : "r"(a), "r"(b), "f"(yes), "f"(no));
  return y;
#else
  return (a & b) != 0 ? yes : no;
#endif
}

/// The magnitude of x with the sign bit of u.
ROPELINE_DEVICE float with_sign(float x, uint32_t u) {
#if defined(__CUDA_ARCH__)
  uint32_t y;
  asm("lop3.b32 %0, %1, %2, 0x80000000, 0xd8;" : "=r"(y) : "r"(bits_of(x)), "r"(u));
  return float_of(y);
#else
  return float_of((bits_of(x) & 0x7fffffffu) | (u & 0x80000000u));
#endif
}

}  // namespace ropeline::kernel::ptx
