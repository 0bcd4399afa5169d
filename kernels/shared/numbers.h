#pragma once

// bf16 and fp16 as 16-bit patterns: exact widening, and narrowing by round to nearest even (docs/numerics.md, section
// 7).

#include "kernels/shared/portable.h"

namespace ropeline {

ROPELINE_FN float bf16_to_fp32(uint16_t b) { return float_of(static_cast<uint32_t>(b) << 16); }

ROPELINE_FN uint16_t fp32_to_bf16(float x) {
  const uint32_t u = bits_of(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x0040u);  // NaN stays NaN
  return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}

ROPELINE_FN float fp16_to_fp32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t exponent = (h >> 10) & 0x1fu;
  const uint32_t mantissa = h & 0x3ffu;
  if (exponent == 0x1fu) return float_of(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) return float_of(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * float_of(0x33800000u);  // subnormal: mantissa * 2^-24, exact
  return float_of(sign | bits_of(magnitude));
}

ROPELINE_FN uint16_t fp32_to_fp16(float x) {
  const uint32_t u = bits_of(x);
  const uint32_t sign = (u >> 16) & 0x8000u;
  const uint32_t a = u & 0x7fffffffu;
  if (a > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
  if (a >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and beyond round to infinity
  if (a >= 0x38800000u) {                                              // normal in fp16
    const uint32_t rebased = a - 0x38000000u;
    return static_cast<uint16_t>(sign | ((rebased + 0xfffu + ((rebased >> 13) & 1u)) >> 13));
  }
  if (a < 0x33000000u) return static_cast<uint16_t>(sign);  // below half of the smallest subnormal
  const uint32_t shift = 126u - (a >> 23);                  // 14 to 24: places below the subnormal unit
  const uint32_t mantissa = (a & 0x7fffffu) | 0x800000u;
  const uint32_t half = 1u << (shift - 1u);
  const uint32_t rounded = mantissa + half - 1u + ((mantissa >> shift) & 1u);
  return static_cast<uint16_t>(sign | (rounded >> shift));
}

}  // namespace ropeline
