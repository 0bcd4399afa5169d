// FP8 E4M3: the reference against numbers worked out by hand, and kernels/shared/fp8.h, which every backend shares,
// against the reference.

#include "reference/kv_cast.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/shared/fp8.h"

namespace ropeline {
namespace {

using reference::e4m3_code;
using reference::e4m3_value;

TEST(E4m3, CodesStandForTheNumbersOfTheFormat) {
  EXPECT_EQ(e4m3_value(0x38), 1);
  EXPECT_EQ(e4m3_value(0x3c), 1.5);
  EXPECT_EQ(e4m3_value(0xc1), -2.25);
  EXPECT_EQ(e4m3_value(0x7e), 448);
  EXPECT_EQ(e4m3_value(0x01), 0x1p-9);
  EXPECT_EQ(e4m3_value(0x07), 0x7p-9);
  EXPECT_EQ(e4m3_value(0x08), 0x1p-6);
  EXPECT_TRUE(std::signbit(e4m3_value(0x80)));
  EXPECT_TRUE(std::isnan(e4m3_value(0x7f)) && std::isnan(e4m3_value(0xff)));
}

TEST(E4m3, NumbersGoToTheNearestCodeTiesToEvenAndSaturate) {
  const float infinity = std::numeric_limits<float>::infinity();
  const struct {
    float x;
    int code;
  } known[] = {{1, 0x38},         {-1, 0xb8},       {17, 0x58},           {19, 0x5a},       {17.000002f, 0x59},
               {448, 0x7e},       {464, 0x7e},      {1e30f, 0x7e},        {-449, 0xfe},     {infinity, 0x7e},
               {-infinity, 0xfe}, {0x1p-10f, 0x00}, {0x1.000002p-10f, 1}, {0x3p-10f, 0x02}, {0xfp-10f, 0x08},
               {-0x1p-10f, 0x80}, {-0.0f, 0x80},    {0x1p-149f, 0x00},    {0x1p-6f, 0x08},  {0x1.1p-6f, 0x08},
               {0x1.3p-6f, 0x0a}};
  for (const auto& [x, code] : known) EXPECT_EQ(e4m3_code(x), code) << x;
  EXPECT_EQ(e4m3_code(std::numeric_limits<float>::quiet_NaN()), 0x7f);
  EXPECT_EQ(e4m3_code(-std::numeric_limits<float>::quiet_NaN()), 0x7f);
}

void expect_equal(float x) { ASSERT_EQ(fp32_to_e4m3(x), e4m3_code(x)) << x << " (" << bits_of(x) << ")"; }

TEST(E4m3, TheSharedCodecGivesTheReferencesCodes) {
  for (std::uint64_t bits = 0; bits <= 0xffffffffu; bits += 499)
    expect_equal(float_of(static_cast<std::uint32_t>(bits)));
  for (int code = 0; code < 0x7e; ++code) {
    const auto lo = static_cast<float>(e4m3_value(static_cast<std::uint8_t>(code)));
    const auto hi = static_cast<float>(e4m3_value(static_cast<std::uint8_t>(code + 1)));
    const float middle = (lo + hi) / 2;
    for (float x : {lo, middle, std::nextafter(middle, lo), std::nextafter(middle, hi), std::nextafter(lo, hi)})
      expect_equal(x), expect_equal(-x);
  }
}

}  // namespace
}  // namespace ropeline
