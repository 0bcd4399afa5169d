// bf16 and fp16 (kernels/shared/numbers.h) against the definition of rounding to nearest even, in double precision:
// what the reference and every backend share is held by a statement of its own.

#include "kernels/shared/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ropeline {
namespace {

/// A 16-bit float: places after the point, smallest normal exponent, and the first magnitude that rounds to infinity.
struct Format {
  int places, least_exponent;
  double overflow;
};
constexpr Format kFp16{10, -14, 65520};
constexpr Format kBf16{7, -126, 0x1.ffp127};

/// The nearest number of the format, ties to even. nearbyint rounds that way, and everything else here is exact.
double nearest(double x, Format format) {
  if (x == 0 || std::isinf(x)) return x;
  if (std::abs(x) >= format.overflow) return std::copysign(std::numeric_limits<double>::infinity(), x);
  const double unit = std::ldexp(1.0, std::max(std::ilogb(x), format.least_exponent) - format.places);
  return std::copysign(std::nearbyint(x / unit) * unit, x);
}

void expect_narrows(float x) {
  const float fp16 = fp16_to_fp32(fp32_to_fp16(x)), bf16 = bf16_to_fp32(fp32_to_bf16(x));
  ASSERT_EQ(bits_of(fp16), bits_of(static_cast<float>(nearest(x, kFp16)))) << x;
  ASSERT_EQ(bits_of(bf16), bits_of(static_cast<float>(nearest(x, kBf16)))) << x;
}

TEST(Numbers, NarrowManyPatternsToNearestEven) {
  for (std::uint64_t bits = 0; bits <= 0x7f800000u; bits += 199) {
    expect_narrows(float_of(static_cast<std::uint32_t>(bits)));
    expect_narrows(float_of(static_cast<std::uint32_t>(bits) | 0x80000000u));
  }
}

/// Both neighbours and the midpoint of all adjacent numbers of a format.
template <class Widen>
void expect_midpoints(Widen widen, int infinity) {
  for (int h = 0; h + 1 < infinity; ++h) {
    const float lo = widen(static_cast<std::uint16_t>(h)), hi = widen(static_cast<std::uint16_t>(h + 1));
    const auto middle = static_cast<float>((static_cast<double>(lo) + hi) / 2);
    for (float x : {lo, middle, std::nextafter(middle, lo), std::nextafter(middle, hi)}) {
      expect_narrows(x);
      expect_narrows(-x);
    }
  }
}

TEST(Numbers, MidpointsGoToTheEvenNeighbour) {
  expect_midpoints(fp16_to_fp32, 0x7c00);
  expect_midpoints(bf16_to_fp32, 0x7f80);
}

TEST(Numbers, OverflowStartsHalfAStepBeyondTheLargest) {
  EXPECT_EQ(fp32_to_fp16(65519.996f), 0x7bff);
  EXPECT_EQ(fp32_to_fp16(65520.0f), 0x7c00);
  EXPECT_EQ(fp32_to_bf16(0x1.fefffep127f), 0x7f7f);
  EXPECT_EQ(fp32_to_bf16(0x1.ffp127f), 0x7f80);
}

TEST(Numbers, EveryPatternSurvivesWideningAndNaNStaysNaN) {
  for (int h = 0; h < 0x10000; ++h) {
    const auto bits = static_cast<std::uint16_t>(h);
    const float fp16 = fp16_to_fp32(bits), bf16 = bf16_to_fp32(bits);
    ASSERT_EQ(std::isnan(fp16), (h & 0x7fff) > 0x7c00);
    ASSERT_EQ(std::isnan(bf16), (h & 0x7fff) > 0x7f80);
    if (!std::isnan(fp16)) {
      ASSERT_EQ(fp32_to_fp16(fp16), bits);
    }
    if (!std::isnan(bf16)) {
      ASSERT_EQ(fp32_to_bf16(bf16), bits);
    }
  }
  for (std::uint32_t payload : {1u, 0x1fffu, 0xffffu, 0x10000u, 0x400000u, 0x7fffffu})
    for (std::uint32_t sign : {0u, 0x80000000u}) {
      const float nan = float_of(sign | 0x7f800000u | payload);
      EXPECT_TRUE(std::isnan(fp16_to_fp32(fp32_to_fp16(nan)))) << payload;
      EXPECT_TRUE(std::isnan(bf16_to_fp32(fp32_to_bf16(nan)))) << payload;
    }
}

}  // namespace
}  // namespace ropeline
