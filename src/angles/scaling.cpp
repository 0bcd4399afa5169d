#include "angles/scaling.h"

#include <algorithm>
#include <array>

namespace ropeline::angles {
namespace {

using Numbers = std::vector<DoubleDouble>;

// base^(-2i / rotary_dim), the base given by its logarithm.
Numbers geometric(DoubleDouble log_base, int rotary_dim) {
  constexpr int at_once = 4;
  const int count = rotary_dim / 2;
  Numbers f(count);
  for (int i = 0; i < count; i += at_once) {
    std::array<DoubleDouble, at_once> x;
    for (int j = 0; j < at_once; ++j) x[j] = -(log_base * (2 * (i + j)) / rotary_dim);
    x = exp(x);
    std::copy_n(x.begin(), std::min(at_once, count - i), f.begin() + i);
  }
  return f;
}

Numbers divided(Numbers f, double factor) {
  for (DoubleDouble& x : f) x = x / factor;
  return f;
}

// From `slow` where keep is 0 to `fast` where keep is 1.
DoubleDouble between(DoubleDouble slow, DoubleDouble fast, DoubleDouble keep) {
  return slow * (DoubleDouble(1) - keep) + fast * keep;
}

DoubleDouble clamp01(DoubleDouble x) { return x < 0 ? 0 : DoubleDouble(1) < x ? 1 : x; }

// base * (factor * L / L0 - (factor - 1))^(d / (d - 2)), as a logarithm.
DoubleDouble dynamic_log_base(const Frequencies& f) {
  const Scaling& s = f.scaling;
  const DoubleDouble longer = DoubleDouble(std::max(s.seq_len, s.original_length)) / s.original_length;
  const DoubleDouble stretch = longer * s.factor - (DoubleDouble(s.factor) - 1);
  return log(f.base) + log(stretch) * f.rotary_dim / (f.rotary_dim - 2);
}

// Where a frequency makes so many turns in original_length positions: a real index into the frequencies.
DoubleDouble correction_index(const Frequencies& f, double turns) {
  const DoubleDouble ratio = DoubleDouble(f.scaling.original_length) / (kTwoPi * turns);
  return log(ratio) * f.rotary_dim / (log(f.base) * 2);
}

struct Range {
  DoubleDouble low, high;
};

// transformers clamps the upper end to rotary_dim - 1, not to the last frequency.
Range correction_range(const Frequencies& f) {
  Range range{correction_index(f, f.scaling.beta_fast), correction_index(f, f.scaling.beta_slow)};
  if (f.scaling.truncate) range = {std::floor(range.low.hi), std::ceil(range.high.hi)};
  return {std::max<DoubleDouble>(range.low, 0), std::min<DoubleDouble>(range.high, f.rotary_dim - 1)};
}

// Equal ends are parted by 0.001, there and in fused kernels.
Numbers yarn(const Frequencies& parameters, Range range) {
  const auto [low, end] = range;
  const DoubleDouble high = low < end || end < low ? end : end + 0.001;
  Numbers f = geometric(log(parameters.base), parameters.rotary_dim);
  for (int i = 0; i < parameters.rotary_dim / 2; ++i) {
    const DoubleDouble ramp = clamp01((i - low) / (high - low));
    f[i] = between(f[i] / parameters.scaling.factor, f[i], DoubleDouble(1) - ramp);
  }
  return f;
}

Numbers llama3(Numbers f, const Scaling& s) {
  for (DoubleDouble& x : f) {
    const DoubleDouble turns = x * s.original_length * kInverseTwoPi;
    const DoubleDouble keep = (turns - s.low_freq_factor) / (DoubleDouble(s.high_freq_factor) - s.low_freq_factor);
    x = between(x / s.factor, x, clamp01(keep));
  }
  return f;
}

Numbers longrope(Numbers f, const Scaling& s) {
  const std::vector<double>& divisors = s.seq_len > s.original_length ? s.long_factor : s.short_factor;
  for (std::size_t i = 0; i < f.size(); ++i) f[i] = f[i] / divisors[i];
  return f;
}

Numbers proportional(Numbers f, const Scaling& s) {
  std::fill(f.begin() + s.rotated_pairs, f.end(), DoubleDouble(0));
  return divided(std::move(f), s.factor);
}

double longrope_attention_factor(const Scaling& s) {
  if (s.factor <= 1) return 1;
  const DoubleDouble square = log(s.factor) / log(s.original_length) + 1;
  return exp(log(square) * 0.5).hi;
}

}  // namespace

std::vector<DoubleDouble> scaled_frequencies(const Frequencies& frequencies) {
  const Scaling& s = frequencies.scaling;
  const int dim = frequencies.rotary_dim;
  switch (s.kind) {
    case ScalingKind::none: break;
    case ScalingKind::linear: return divided(geometric(log(frequencies.base), dim), s.factor);
    case ScalingKind::dynamic: return geometric(dynamic_log_base(frequencies), dim);
    case ScalingKind::yarn: return yarn(frequencies, correction_range(frequencies));
    case ScalingKind::yarn_range: return yarn(frequencies, {s.low, s.high});
    case ScalingKind::llama3: return llama3(geometric(log(frequencies.base), dim), s);
    case ScalingKind::longrope: return longrope(geometric(log(frequencies.base), dim), s);
    case ScalingKind::proportional: return proportional(geometric(log(frequencies.base), dim), s);
  }
  return geometric(log(frequencies.base), dim);
}

double attention_factor(const Scaling& s) {
  if (s.attention_factor != 0) return s.attention_factor;
  if (s.kind == ScalingKind::yarn || s.kind == ScalingKind::yarn_range) return yarn_attention_factor(s.factor);
  return s.kind == ScalingKind::longrope ? longrope_attention_factor(s) : 1;
}

double yarn_attention_factor(double factor, double mscale) {
  return factor <= 1 ? 1 : (log(factor) * mscale / 10 + 1).hi;
}

}  // namespace ropeline::angles
