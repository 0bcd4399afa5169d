#pragma once

// FP8 E4M3 (OCP 8-bit floating point, 2023; "e4m3fn": no infinity, one NaN a sign) as codes of 8 bits
// (docs/numerics.md, section 7).

#include "kernels/shared/portable.h"

namespace ropeline {

enum : uint32_t { kE4m3Largest = 0x43e00000u };  // fp32 bits of 448, code 0x7e
enum : uint32_t { kE4m3Normal = 0x3c800000u };   // of 2^-6, the smallest normal number, code 0x08
enum : uint32_t { kE4m3Nan = 0x7fu };
// Numbers from here on are 2^-9 apart, as E4M3's subnormals are.
ROPELINE_FN constexpr float e4m3_shifter() { return 0x1p14f; }

ROPELINE_FN float e4m3_add(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

// To nearest even. Saturates: what lies beyond 448, infinity too, becomes 448 of its sign. NaN becomes 0x7f.
ROPELINE_FN uint32_t fp32_to_e4m3(float x) {
  const uint32_t u = bits_of(x), magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return kE4m3Nan;
  const uint32_t a = magnitude < kE4m3Largest ? magnitude : kE4m3Largest;
  const uint32_t normal = (a - (120u << 23) + 0x7ffffu + ((a >> 20) & 1u)) >> 20;  // exponents are 120 apart
  const uint32_t subnormal = bits_of(e4m3_add(float_of(a), e4m3_shifter())) - 0x46800000u;
  return ((u >> 24) & 0x80u) | (a < kE4m3Normal ? subnormal : normal);
}

}  // namespace ropeline
