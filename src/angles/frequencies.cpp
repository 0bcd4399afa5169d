#include "angles/frequencies.h"

#include <cmath>

#include "angles/double_double.h"
#include "angles/reduction.h"
#include "angles/scaling.h"
#include "float_mode.h"

namespace ropeline {
namespace angles {
namespace {

// round(f / 2pi * 2^64) mod 2^64 for f >= 0.
std::uint64_t turns_of(DoubleDouble f) {
  DoubleDouble turns = f * kInverseTwoPi;
  turns = turns - std::floor(turns.hi);                             // now in [0, 1], or just below 0
  const DoubleDouble scaled{turns.hi * 0x1p64, turns.lo * 0x1p64};  // exact
  const double whole = std::floor(scaled.hi), part = scaled.hi - whole;
  const DoubleDouble rest = two_sum(part, scaled.lo);
  const double nearest = std::floor(rest.hi + 0.5);
  const auto high = whole < 0x1p64 ? static_cast<std::uint64_t>(whole) : 0;
  return high + static_cast<std::uint64_t>(static_cast<std::int64_t>(nearest));
}

}  // namespace
}  // namespace angles

using namespace angles;

Scaling Scaling::linear(double factor) { return {.kind = ScalingKind::linear, .factor = factor}; }

Scaling Scaling::dynamic(double factor, double original_length, double seq_len) {
  return {.kind = ScalingKind::dynamic, .factor = factor, .original_length = original_length, .seq_len = seq_len};
}

Scaling Scaling::yarn(double factor, double original_length, double beta_fast, double beta_slow,
                      double attention_factor) {
  return {.kind = ScalingKind::yarn,
          .factor = factor,
          .original_length = original_length,
          .beta_fast = beta_fast,
          .beta_slow = beta_slow,
          .attention_factor = attention_factor};
}

Scaling Scaling::yarn_range(double factor, double low, double high, double attention_factor) {
  return {.kind = ScalingKind::yarn_range,
          .factor = factor,
          .low = low,
          .high = high,
          .attention_factor = attention_factor};
}

Scaling Scaling::llama3(double factor, double low_freq_factor, double high_freq_factor, double original_length) {
  return {.kind = ScalingKind::llama3,
          .factor = factor,
          .original_length = original_length,
          .low_freq_factor = low_freq_factor,
          .high_freq_factor = high_freq_factor};
}

Scaling Scaling::longrope(std::vector<double> short_factor, std::vector<double> long_factor, double factor,
                          double original_length, double seq_len, double attention_factor) {
  return {.kind = ScalingKind::longrope,
          .factor = factor,
          .original_length = original_length,
          .seq_len = seq_len,
          .short_factor = std::move(short_factor),
          .long_factor = std::move(long_factor),
          .attention_factor = attention_factor};
}

Scaling Scaling::proportional(int rotated_pairs, double factor) {
  return {.kind = ScalingKind::proportional, .factor = factor, .rotated_pairs = rotated_pairs};
}

Frequencies Frequencies::theta(double base, int rotary_dim, Scaling scaling) {
  return {.base = base, .rotary_dim = rotary_dim, .scaling = std::move(scaling)};
}

Frequencies Frequencies::inv_freq(std::vector<float> values, double attention_factor) {
  const int rotary_dim = 2 * static_cast<int>(values.size());
  return {.rotary_dim = rotary_dim, .scaling = {.attention_factor = attention_factor}, .values = std::move(values)};
}

std::vector<std::uint64_t> Frequencies::turns() const {
  const FloatMode mode;
  check(*this);
  std::vector<std::uint64_t> turns;
  turns.reserve(rotary_dim / 2);
  if (values.empty())
    for (DoubleDouble f : scaled_frequencies(*this)) turns.push_back(turns_of(f));
  for (float f : values) turns.push_back(turns_of_radians(f));
  return turns;
}

std::vector<float> Frequencies::rounded() const {
  const FloatMode mode;
  check(*this);
  if (!values.empty()) return values;
  std::vector<float> rounded;
  rounded.reserve(rotary_dim / 2);
  for (DoubleDouble f : scaled_frequencies(*this)) rounded.push_back(to_float(f));
  return rounded;
}

float Frequencies::attention_factor() const {
  const FloatMode mode;
  check(*this);
  return static_cast<float>(angles::attention_factor(scaling));
}

}  // namespace ropeline
