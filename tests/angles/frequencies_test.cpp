// Every scaling kind against mpmath and against transformers, and explicit frequencies.

#include "ropeline/frequencies.h"

#include <gtest/gtest.h>

#include <cmath>

#include "angles/golden.h"
#include "angles/reduction.h"

namespace ropeline::angles {
namespace {

class ScalingKinds : public testing::TestWithParam<GoldenCase> {
 protected:
  const GoldenCase& expected() const { return GetParam(); }
  const Frequencies& parameters() const { return golden_parameters().at(expected().name); }
};

TEST_P(ScalingKinds, TurnsAreCorrectlyRounded) { EXPECT_EQ(parameters().turns(), expected().turns); }

TEST_P(ScalingKinds, RoundedAreCorrectlyRounded) { EXPECT_EQ(parameters().rounded(), expected().fp32); }

TEST_P(ScalingKinds, AttentionFactorIsCorrectlyRounded) {
  EXPECT_EQ(parameters().attention_factor(), expected().attention_factor);
}

// torch's powf is not correctly rounded, and transformers rounds each intermediate value to fp32.
TEST_P(ScalingKinds, AreThoseOfTransformers) {
  const std::vector<float> ours = parameters().rounded();
  ASSERT_EQ(ours.size(), expected().transformers.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_NEAR(ours[i], expected().transformers[i], 2e-6 * ours[i]) << "frequency " << i;
}

INSTANTIATE_TEST_SUITE_P(Golden, ScalingKinds, testing::ValuesIn(golden_cases()),
                         [](const auto& info) { return info.param.name; });

TEST(ScalingKindsTable, IsWhole) { EXPECT_EQ(golden_cases().size(), golden_parameters().size()); }

// low and high: the ends that yarn rounds to for 32 turns and for one.
void expect_same_yarn(double base, int rotary_dim, double length, double low, double high) {
  const auto yarn = Frequencies::theta(base, rotary_dim, Scaling::yarn(4, length));
  const auto range = Frequencies::theta(base, rotary_dim, Scaling::yarn_range(4, low, high));
  EXPECT_EQ(yarn.turns(), range.turns());
  EXPECT_EQ(yarn.attention_factor(), range.attention_factor());
}

TEST(YarnRange, IsYarnWithItsEndsWorkedOut) {
  expect_same_yarn(1e6, 128, 32768, 23, 40);
  expect_same_yarn(1e4, 64, 4096, 10, 23);
  expect_same_yarn(5e5, 256, 8192, 36, 70);
  expect_same_yarn(1e6, 64, 4, 0, -1);  // the ends change places
}

// What the 0.001 between equal ends makes of it.
TEST(YarnRange, WithEqualEndsIsAStep) {
  const auto range = Frequencies::theta(1e4, 16, Scaling::yarn_range(2, 3, 3)).rounded();
  const auto kept = Frequencies::theta(1e4, 16).rounded();
  for (int i = 0; i < 8; ++i) EXPECT_EQ(range[i], i <= 3 ? kept[i] : kept[i] / 2) << i;
}

TEST(ExplicitFrequencies, TurnsAreCorrectlyRoundedAtEveryMagnitude) {
  std::vector<float> values;
  std::vector<std::uint64_t> turns;
  for (const auto& pair : golden().at("values")) {
    values.push_back(float_from(pair.at(0)));
    turns.push_back(std::stoull(pair.at(1).get<std::string>(), nullptr, 16));
  }
  EXPECT_EQ(Frequencies::inv_freq(values).turns(), turns);
}

TEST(ExplicitFrequencies, ComeBackAsTheyAre) {
  const std::vector<float> values = {1.0f, -0.25f, 1e-40f, 0.0f};
  const Frequencies frequencies = Frequencies::inv_freq(values, 1.25);
  EXPECT_EQ(frequencies.rounded(), values);
  EXPECT_EQ(frequencies.rotary_dim, 8);
  EXPECT_EQ(frequencies.attention_factor(), 1.25f);
}

TEST(Frequencies, OfNothingAreNone) { EXPECT_TRUE(Frequencies::theta(1e4, 0).turns().empty()); }

TEST(Frequencies, AreEqualByParameters) {
  EXPECT_EQ(Frequencies::theta(1e6, 128, Scaling::linear(8)), Frequencies::theta(1e6, 128, Scaling::linear(8)));
  EXPECT_NE(Frequencies::theta(1e6, 128, Scaling::linear(8)), Frequencies::theta(1e6, 128, Scaling::linear(4)));
}

// The error bound of fraction_of_turn leaves no fp32 number undecided: neither the floor to 32 bits nor the rounding to
// 64 bits could come out otherwise with a wider window. `bits` walks all positive finite numbers.
void expect_decided(std::uint32_t first, std::uint32_t step) {
  for (std::uint64_t bits = first; bits < 0x7f800000; bits += step) {
    const Fraction f = fraction_of_turn(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    const std::uint64_t error = 1 << 24;
    const bool floor_decided = static_cast<std::uint32_t>(f.turns) != 0xffffffff || f.rest < -error;
    const bool round_decided = f.rest >= std::uint64_t{1} << 63 || f.rest < (std::uint64_t{1} << 63) - error;
    ASSERT_TRUE(floor_decided && round_decided) << "bits " << std::hex << bits;
  }
}

TEST(Reduction, IsExactForASampleOfAllNumbers) { expect_decided(1, 1021); }

// All 2^31: --gtest_also_run_disabled_tests --gtest_filter=*EveryNumber
TEST(Reduction, DISABLED_IsExactForEveryNumber) { expect_decided(1, 1); }

}  // namespace
}  // namespace ropeline::angles
