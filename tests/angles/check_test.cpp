// What is refused, word by word.

#include <gtest/gtest.h>

#include <limits>

#include "angles/frequencies.h"
#include "ropeline/error.h"

namespace ropeline {
namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

std::string refusal(const Frequencies& frequencies) {
  try {
    angles::check(frequencies);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
    return error.what();
  }
  return "accepted";
}

std::string refusal(const Scaling& scaling, int rotary_dim = 8) {
  return refusal(Frequencies::theta(1e4, rotary_dim, scaling));
}

TEST(CheckFrequencies, Base) {
  EXPECT_EQ(refusal(Frequencies::theta(0, 64)), "base 0 must be a finite number of at least 1");
  EXPECT_EQ(refusal(Frequencies::theta(-1e4, 64)), "base -10000 must be a finite number of at least 1");
  EXPECT_EQ(refusal(Frequencies::theta(kNaN, 64)), "base nan must be a finite number of at least 1");
  EXPECT_EQ(refusal(Frequencies::theta(kInfinity, 64)), "base inf must be a finite number of at least 1");
  EXPECT_EQ(refusal(Frequencies::theta(1, 64)), "accepted");
}

TEST(CheckFrequencies, RotaryDim) {
  EXPECT_EQ(refusal(Frequencies::theta(1e4, 63)), "rotary_dim 63 must be even and at least 0");
  EXPECT_EQ(refusal(Frequencies::theta(1e4, -2)), "rotary_dim -2 must be even and at least 0");
  EXPECT_EQ(refusal(Frequencies::theta(1e4, 0)), "accepted");
}

TEST(CheckFrequencies, Factor) {
  EXPECT_EQ(refusal(Scaling::linear(0.5)), "factor 0.5 must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::linear(kNaN)), "factor nan must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn(0, 4096)), "factor 0 must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::proportional(2, 0.9)), "factor 0.9 must be from 1 to 1e+15");
}

TEST(CheckFrequencies, OriginalLength) {
  EXPECT_EQ(refusal(Scaling::dynamic(2, 0, 8192)), "original_length 0 must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn(2, -1)), "original_length -1 must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::llama3(8, 1, 4, kInfinity)), "original_length inf must be from 1 to 1e+15");
}

TEST(CheckFrequencies, Dynamic) {
  EXPECT_EQ(refusal(Scaling::dynamic(2, 4096, -1)), "seq_len -1 must be from 0 to 1e+15");
  EXPECT_EQ(refusal(Scaling::dynamic(2, 4096, 0), 2), "rotary_dim 2 must be above 2 with dynamic scaling");
}

TEST(CheckFrequencies, Yarn) {
  EXPECT_EQ(refusal(Scaling::yarn(2, 4096, 32, 0)), "beta_slow 0 must be from 1e-06 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn(2, 4096, 1, 32)), "beta_fast 1 must be from 32 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn(2, 4096, 32, 1, -0.5)), "attention_factor -0.5 must be from 0 to 1e+15");
  EXPECT_EQ(refusal(Frequencies::theta(1, 8, Scaling::yarn(2, 4096))), "base 1 must be above 1 with yarn scaling");
}

TEST(CheckFrequencies, YarnRange) {
  EXPECT_EQ(refusal(Scaling::yarn_range(2, 0, -1)), "accepted");
  EXPECT_EQ(refusal(Scaling::yarn_range(0.5, 0, 4)), "factor 0.5 must be from 1 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn_range(2, -kInfinity, 4)), "low -inf must be from -1e+15 to 1e+15");
  EXPECT_EQ(refusal(Scaling::yarn_range(2, 4, kNaN)), "high nan must be from -1e+15 to 1e+15");
}

TEST(CheckFrequencies, Llama3) {
  EXPECT_EQ(refusal(Scaling::llama3(8, 4, 4, 8192)), "high_freq_factor 4 must be above low_freq_factor 4");
  EXPECT_EQ(refusal(Scaling::llama3(8, kNaN, 4, 8192)), "low_freq_factor nan must be from 1e-06 to 1e+15");
}

TEST(CheckFrequencies, Longrope) {
  const std::vector<double> four(4, 1.5), three(3, 1.5);
  EXPECT_EQ(refusal(Scaling::longrope(three, four, 4, 4096, 0)),
            "short_factor has 3 entries, must be 4 (rotary_dim / 2)");
  EXPECT_EQ(refusal(Scaling::longrope(four, three, 4, 4096, 0)),
            "long_factor has 3 entries, must be 4 (rotary_dim / 2)");
  EXPECT_EQ(refusal(Scaling::longrope(four, {1, 1, 0, 1}, 4, 4096, 0)), "long_factor[2] 0 must be from 1e-06 to 1e+15");
  EXPECT_EQ(refusal(Scaling::longrope(four, four, 4, 1, 0)), "original_length 1 must be above 1 with longrope scaling");
  EXPECT_EQ(refusal(Scaling::longrope(four, four, 4, 4096, kNaN)), "seq_len nan must be from 0 to 1e+15");
}

TEST(CheckFrequencies, Proportional) {
  EXPECT_EQ(refusal(Scaling::proportional(5)), "rotated_pairs 5 must be from 0 to rotary_dim / 2 = 4");
  EXPECT_EQ(refusal(Scaling::proportional(-1)), "rotated_pairs -1 must be from 0 to rotary_dim / 2 = 4");
}

TEST(CheckFrequencies, Values) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(refusal(Frequencies::inv_freq({1, nan})), "values[1] nan must be finite");
  EXPECT_EQ(refusal(Frequencies::inv_freq({})), "base 0 must be a finite number of at least 1");
  EXPECT_EQ(refusal({.base = 1e4, .rotary_dim = 2, .values = {1}}), "base 10000 must be 0 beside explicit values");
  EXPECT_EQ(refusal({.rotary_dim = 4, .values = {1}}), "values has 1 entries, must be 2 (rotary_dim / 2)");
  EXPECT_EQ(refusal({.rotary_dim = 2, .scaling = Scaling::linear(2), .values = {1}}),
            "scaling must be none beside explicit values");
}

TEST(CheckFrequencies, GuardsEveryReader) {
  const Frequencies wrong = Frequencies::theta(0, 64);
  EXPECT_THROW(wrong.turns(), Error);
  EXPECT_THROW(wrong.rounded(), Error);
  EXPECT_THROW(wrong.attention_factor(), Error);
}

}  // namespace
}  // namespace ropeline
