// The rounding that src/cpu/simd/bounded-inl.h does by Veltkamp's split, for every mantissa.

#include <gtest/gtest.h>

#include "kernels/shared/numbers.h"

namespace ropeline::cpu {
namespace {

float split_rounded(float x) {
  const float p = x * 65537.0f;
  const float d = p - x;
  return p - d;
}

/// Counts the mantissas, at one exponent, whose two roundings differ.
int disagreements(std::uint32_t exponent) {
  int count = 0;
  for (std::uint32_t mantissa = 0; mantissa < 1u << 23; ++mantissa) {
    const float x = float_of(exponent << 23 | mantissa);
    count += bits_of(split_rounded(x)) != bits_of(bf16_to_fp32(fp32_to_bf16(x)));
  }
  return count;
}

TEST(SplitRounding, EqualsRoundToNearestEven) {
  for (std::uint32_t exponent : {7u, 126u, 127u, 237u})
    EXPECT_EQ(disagreements(exponent), 0) << "exponent " << exponent;
  for (float x : {0.0f, -0.0f}) EXPECT_EQ(bits_of(split_rounded(x)), bits_of(x));
}

TEST(SplitRounding, HasLimits) {
  EXPECT_GT(disagreements(239), 0) << "p overflows";
  EXPECT_GT(disagreements(0), 0) << "bf16 is subnormal";
}

}  // namespace
}  // namespace ropeline::cpu
