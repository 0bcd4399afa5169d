// What parameters of frequencies must be. Every sentence starts with the bare field.

#include <cmath>
#include <string>

#include "angles/frequencies.h"
#include "error.h"

namespace ropeline::angles {
namespace {

// Beyond these bounds there is no model, and the arithmetic would leave the range of double.
constexpr double kSmall = 1e-6, kLarge = 1e15;

void within(const std::string& field, double value, double low) {
  require(value >= low && value <= kLarge, field, " ", value, " must be from ", low, " to ", kLarge);
}

void check_list(const std::string& field, const std::vector<double>& list, int count) {
  require(static_cast<int>(list.size()) == count, field, " has ", list.size(), " entries, must be ", count,
          " (rotary_dim / 2)");
  for (std::size_t i = 0; i < list.size(); ++i) within(text(field, "[", i, "]"), list[i], kSmall);
}

void check_yarn(const Frequencies& f) {
  const Scaling& s = f.scaling;
  require(f.base != 1, "base 1 must be above 1 with yarn scaling");  // the correction range divides by its logarithm
  within("beta_slow", s.beta_slow, kSmall);
  within("beta_fast", s.beta_fast, s.beta_slow);
}

void check_yarn_range(const Scaling& s) {
  within("low", s.low, -kLarge);
  within("high", s.high, -kLarge);
}

void check_llama3(const Scaling& s) {
  within("low_freq_factor", s.low_freq_factor, kSmall);
  within("high_freq_factor", s.high_freq_factor, kSmall);
  require(s.high_freq_factor > s.low_freq_factor, "high_freq_factor ", s.high_freq_factor,
          " must be above low_freq_factor ", s.low_freq_factor);
}

void check_longrope(const Frequencies& f) {
  check_list("short_factor", f.scaling.short_factor, f.rotary_dim / 2);
  check_list("long_factor", f.scaling.long_factor, f.rotary_dim / 2);
  require(f.scaling.original_length != 1, "original_length 1 must be above 1 with longrope scaling");  // logarithm
  within("seq_len", f.scaling.seq_len, 0);
}

void check_dynamic(const Frequencies& f) {
  require(f.rotary_dim != 2, "rotary_dim 2 must be above 2 with dynamic scaling");  // the exponent is d / (d - 2)
  within("seq_len", f.scaling.seq_len, 0);
}

void check_proportional(const Frequencies& f) {
  const int pairs = f.scaling.rotated_pairs;
  require(pairs >= 0 && pairs <= f.rotary_dim / 2, "rotated_pairs ", pairs,
          " must be from 0 to rotary_dim / 2 = ", f.rotary_dim / 2);
}

bool has_original_length(ScalingKind kind) {
  return kind == ScalingKind::dynamic || kind == ScalingKind::yarn || kind == ScalingKind::llama3 ||
         kind == ScalingKind::longrope;
}

void check_scaling(const Frequencies& f) {
  const Scaling& s = f.scaling;
  within("attention_factor", s.attention_factor, 0);
  if (s.kind == ScalingKind::none) return;
  within("factor", s.factor, 1);
  if (has_original_length(s.kind)) within("original_length", s.original_length, 1);
  switch (s.kind) {
    case ScalingKind::none:
    case ScalingKind::linear: break;
    case ScalingKind::dynamic: return check_dynamic(f);
    case ScalingKind::yarn: return check_yarn(f);
    case ScalingKind::yarn_range: return check_yarn_range(s);
    case ScalingKind::llama3: return check_llama3(s);
    case ScalingKind::longrope: return check_longrope(f);
    case ScalingKind::proportional: return check_proportional(f);
  }
}

void check_values(const Frequencies& f) {
  require(f.base == 0, "base ", f.base, " must be 0 beside explicit values");
  require(f.values.size() * 2 == static_cast<std::size_t>(f.rotary_dim), "values has ", f.values.size(),
          " entries, must be ", f.rotary_dim / 2, " (rotary_dim / 2)");
  require(f.scaling.kind == ScalingKind::none, "scaling must be none beside explicit values");
  for (std::size_t i = 0; i < f.values.size(); ++i)
    require(std::isfinite(f.values[i]), "values[", i, "] ", f.values[i], " must be finite");
}

}  // namespace

void check(const Frequencies& f) {
  require(f.rotary_dim >= 0 && f.rotary_dim % 2 == 0, "rotary_dim ", f.rotary_dim, " must be even and at least 0");
  if (f.values.empty())
    require(std::isfinite(f.base) && f.base >= 1, "base ", f.base, " must be a finite number of at least 1");
  else
    check_values(f);
  check_scaling(f);
}

}  // namespace ropeline::angles
