#pragma once

// Angles as 64-bit fixed point in turns, and sin and cos of them (docs/numerics.md, section 5). `fma` is the compiler's
// correctly rounded fused multiply-add; nothing here may be contracted or reassociated.

#include "kernels/shared/portable.h"

#if !defined(__CUDACC__)
#include <cmath>
#endif

namespace ropeline {

// A frequency F in turns * 2^64, split so that a signed 32-bit position needs two multiplications.
struct Turns {
  uint32_t hi;
  int32_t lo;
};

ROPELINE_FN Turns split_turns(uint64_t f) {
  return {static_cast<uint32_t>((f + 0x80000000ull) >> 32), static_cast<int32_t>(static_cast<uint32_t>(f))};
}

// The top 32 bits of position * F mod 2^64.
ROPELINE_FN uint32_t phase_of(int32_t position, Turns f) {
  const int64_t low = static_cast<int64_t>(position) * f.lo;
  return static_cast<uint32_t>(position) * f.hi + static_cast<uint32_t>(low >> 32);
}

// Minimax coefficients for |x| <= 1/8 turn, tuned as fp32 numbers: |error| <= 1.011e-7 over all 2^32 phases.
struct SinCosPolynomial {
  float s1 = 0x1.921fb4p+2f, s3 = -0x1.4abbap+5f, s5 = 0x1.465a66p+6f, s7 = -0x1.2cf5d4p+6f;
  float c2 = -0x1.3bd3a2p+4f, c4 = 0x1.03b17p+6f, c6 = -0x1.4ea9a8p+6f;
};

struct SinCos {
  float sin, cos;
};

ROPELINE_FN float phase_fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#else
  return std::fma(a, b, c);
#endif
}

ROPELINE_FN float phase_mul(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

// sin and cos of the angle folded into an eighth of a turn to either side, before the eighth decides which is which.
ROPELINE_FN SinCos folded_sin_cos(uint32_t u) {
  constexpr SinCosPolynomial p;
  const float x = phase_mul(static_cast<float>(static_cast<int32_t>(u << 2)), 0x1p-34f);
  const float z = phase_mul(x, x);
  const float s = phase_mul(x, phase_fma(phase_fma(phase_fma(p.s7, z, p.s5), z, p.s3), z, p.s1));
  const float c = phase_fma(phase_fma(phase_fma(p.c6, z, p.c4), z, p.c2), z, 1.0f);
  return {s, c};
}

ROPELINE_FN SinCos sin_cos(uint32_t u) {
  const SinCos folded = folded_sin_cos(u);
  const uint32_t v = u + 0x60000000u;  // which eighth: one sum decides the swap and the sign of cos
  const bool straight = (v & 0x40000000u) != 0;
  const uint32_t cosine = bits_of(straight ? folded.cos : folded.sin) ^ (v & 0x80000000u);
  const uint32_t sine = (bits_of(straight ? folded.sin : folded.cos) & 0x7fffffffu) | (u & 0x80000000u);
  return {float_of(sine), float_of(cosine)};
}

}  // namespace ropeline
