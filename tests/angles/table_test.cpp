// cos and sin tables against multiple-precision values, at every distance and sign of position.

#include "ropeline/table.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

#include "angles/golden.h"
#include "kernels/shared/phase.h"
#include "ropeline/error.h"

namespace ropeline {
namespace {

constexpr double kPolynomials = 1.011e-7;                  // over all 2^32 phases: SinCos.DISABLED_ErrorOverEveryPhase
constexpr double kPhase = 2 * std::numbers::pi * 0x1p-32;  // a phase is cut off to 32 bits

const Frequencies kFrequencies = Frequencies::theta(1e6, 128);

CosSinTable table_of(const Frequencies& frequencies, std::vector<std::int64_t> positions, AngleMode mode) {
  return cos_sin_table(frequencies, positions, mode);
}

double worst_error(AngleMode mode, const char* key) {
  double worst = 0;
  for (const auto& row : angles::golden().at("angles")) {
    const CosSinTable table = table_of(kFrequencies, {row.at("position")}, mode);
    const int i = row.at("frequency");
    worst = std::max(worst, std::abs(table.cos[i] - row.at(key).at(0).get<double>()));
    worst = std::max(worst, std::abs(table.sin[i] - row.at(key).at(1).get<double>()));
  }
  return worst;
}

// The exact phase is F * position: F itself is off by half a unit of 2^-64, which 2^31 positions make 2^-34.
TEST(ExactTable, IsRightAtEveryPosition) {
  EXPECT_LE(worst_error(AngleMode::exact, "exact"), kPolynomials + 2 * kPhase);
}

TEST(ProductTable, IsRightForTheRoundedProduct) {
  EXPECT_LE(worst_error(AngleMode::fp32_product, "fp32_product"), kPolynomials + kPhase);
}

TEST(Table, LaysOutRowsByPosition) {
  const CosSinTable table = cos_sin_table(kFrequencies, 3);
  EXPECT_EQ(table.positions, 3);
  EXPECT_EQ(table.rotary_dim, 128);
  ASSERT_EQ(table.cos.size(), 3u * 64);
  ASSERT_EQ(table.sin.size(), 3u * 64);
  const CosSinTable last = table_of(kFrequencies, {2}, AngleMode::exact);
  EXPECT_TRUE(std::equal(last.cos.begin(), last.cos.end(), table.cos.begin() + 128));
  EXPECT_TRUE(std::equal(last.sin.begin(), last.sin.end(), table.sin.begin() + 128));
}

TEST(Table, MultipliesByTheAttentionFactorInFp32) {
  const CosSinTable plain = table_of(kFrequencies, {77}, AngleMode::exact);
  Frequencies scaled = kFrequencies;
  scaled.scaling.attention_factor = 1.3;
  const CosSinTable table = table_of(scaled, {77}, AngleMode::exact);
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(table.cos[i], plain.cos[i] * 1.3f);
    EXPECT_EQ(table.sin[i], plain.sin[i] * 1.3f);
  }
}

// An exact phase of a quarter turn: cos 0 and sin 1 to the bit, with the signs of each quarter.
TEST(ExactTable, TurnsByWholeQuarters) {
  const Turns quarter{0x40000000u, 0};
  for (auto [position, cos, sin] : {std::array{0, 1, 0}, {1, 0, 1}, {2, -1, 0}, {3, 0, -1}, {-1, 0, -1}, {4, 1, 0}}) {
    const SinCos value = sin_cos(phase_of(position, quarter));
    EXPECT_EQ(value.cos, cos) << position;
    EXPECT_EQ(value.sin, sin) << position;
  }
}

TEST(ProductTable, IsEvenAndOddToTheBit) {
  const auto forth = table_of(kFrequencies, {1, 4095, 131071, 2147483647}, AngleMode::fp32_product);
  const auto back = table_of(kFrequencies, {-1, -4095, -131071, -2147483647}, AngleMode::fp32_product);
  EXPECT_EQ(back.cos, forth.cos);
  for (std::size_t i = 0; i < forth.sin.size(); ++i) EXPECT_EQ(back.sin[i], -forth.sin[i]);
}

TEST(ProductTable, RoundsThePositionToFp32) {
  const auto near = table_of(kFrequencies, {16777216}, AngleMode::fp32_product);
  const auto same = table_of(kFrequencies, {16777217}, AngleMode::fp32_product);
  EXPECT_EQ(near.cos, same.cos);
  EXPECT_NE(table_of(kFrequencies, {16777217}, AngleMode::exact).cos, same.cos);
}

TEST(Table, RefusesPositionsBeyondInt32) {
  const std::vector<std::int64_t> positions = {0, std::int64_t{1} << 31};
  try {
    cos_sin_table(kFrequencies, positions);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "positions[1] 2147483648 must be from -2^31 to 2^31 - 1");
  }
  EXPECT_THROW(cos_sin_table(kFrequencies, -1), Error);
  EXPECT_THROW(cos_sin_table(Frequencies::theta(0, 64), 1), Error);
}

TEST(Table, OfNoPositionsIsEmpty) { EXPECT_TRUE(cos_sin_table(kFrequencies, 0).cos.empty()); }

double worst_error_of_phases(std::uint64_t first, std::uint64_t step) {
  double worst = 0;
  for (std::uint64_t u = first; u < std::uint64_t{1} << 32; u += step) {
    const SinCos value = sin_cos(static_cast<std::uint32_t>(u));
    const double angle = static_cast<double>(u) * kPhase;
    worst = std::max({worst, std::abs(value.cos - std::cos(angle)), std::abs(value.sin - std::sin(angle))});
  }
  return worst;
}

TEST(SinCos, ErrorOverASampleOfPhases) { EXPECT_LE(worst_error_of_phases(0, 4093), kPolynomials); }

// All 2^32, some minutes: --gtest_also_run_disabled_tests --gtest_filter=*EveryPhase
TEST(SinCos, DISABLED_ErrorOverEveryPhase) { EXPECT_LE(worst_error_of_phases(0, 1), kPolynomials); }

}  // namespace
}  // namespace ropeline
