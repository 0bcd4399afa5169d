#pragma once

#include <cstdint>
#include <vector>

#include "ropeline/export.h"

namespace ropeline {

/// What a model does to its frequencies. The names are those of transformers' `rope_type`; `yarn_range` is yarn in the
/// parameters of fused kernels.
enum class ScalingKind : std::uint8_t { none, linear, dynamic, yarn, yarn_range, llama3, longrope, proportional };

/// A scaling and its parameters. Only the parameters of its kind count; make one with a factory.
struct ROPELINE_API Scaling {
  ScalingKind kind = ScalingKind::none;
  double factor = 1;                      ///< linear, dynamic, yarn, yarn_range, llama3, longrope
  double original_length = 0;             ///< positions the model was trained for: dynamic, yarn, llama3, longrope
  double seq_len = 0;                     ///< positions that are served: dynamic, longrope
  double beta_fast = 32;                  ///< yarn: above so many turns in original_length a frequency is kept
  double beta_slow = 1;                   ///< yarn: below so many turns it is divided by factor
  bool truncate = true;                   ///< yarn: round the correction range outward to whole frequencies
  double low = 0;                         ///< yarn_range: up to this index a frequency is kept
  double high = 0;                        ///< yarn_range: from this index on it is divided by factor
  double low_freq_factor = 1;             ///< llama3
  double high_freq_factor = 4;            ///< llama3
  int rotated_pairs = 0;                  ///< proportional: the first so many frequencies turn, the others are 0
  std::vector<double> short_factor = {};  ///< longrope: one divisor per frequency up to original_length
  std::vector<double> long_factor = {};   ///< longrope: one divisor per frequency beyond it
  double attention_factor = 0;  ///< multiplies cos and sin; 0 = the formula of the kind (yarn, yarn_range, longrope),
                                ///< else 1

  /// f / factor. Position interpolation, Chen et al. 2023.
  static Scaling linear(double factor);
  /// "Dynamic NTK" for a given seq_len, L = max(seq_len, original_length), d = rotary_dim:
  /// base * (factor * L / original_length - (factor - 1))^(d / (d - 2)).
  static Scaling dynamic(double factor, double original_length, double seq_len);
  /// YaRN, Peng et al. 2023, section 3; attention_factor 0 = 0.1 ln(factor) + 1.
  static Scaling yarn(double factor, double original_length, double beta_fast = 32, double beta_slow = 1,
                      double attention_factor = 0);
  /// YaRN with the ends of its ramp as the indices that `yarn` works out of the turns.
  static Scaling yarn_range(double factor, double low, double high, double attention_factor = 0);
  /// Llama 3.1's smooth switch between f and f / factor by wavelength.
  static Scaling llama3(double factor, double low_freq_factor, double high_freq_factor, double original_length);
  /// LongRoPE, Ding et al. 2024; attention_factor 0 = sqrt(1 + ln(factor) / ln(original_length)), 1 for factor <= 1.
  static Scaling longrope(std::vector<double> short_factor, std::vector<double> long_factor, double factor,
                          double original_length, double seq_len, double attention_factor = 0);
  /// Gemma 4's global layers: pairs span the whole head, only the first rotated_pairs of them turn, by f / factor.
  static Scaling proportional(int rotated_pairs, double factor = 1);

  bool operator==(const Scaling&) const = default;
};

/// The rotary_dim / 2 frequencies of a RoPE in radians per position, and the factor of its cos and sin.
///
/// A plain value made of parameters: comparable and printable. What the kernels read (`turns`) is computed from them in
/// double-double arithmetic built from IEEE + - * / and fma alone, so that every host gets the same bits.
/// Formulas and defaults: transformers 5.24, modeling_rope_utils.py. The methods throw Error{invalid_argument} for
/// parameters that no model can mean; the sentence starts with the field.
struct ROPELINE_API Frequencies {
  double base = 0;     ///< theta; 0 when `values` speaks
  int rotary_dim = 0;  ///< twice the number of frequencies; even
  Scaling scaling = {};
  std::vector<float> values = {};  ///< explicit frequencies (a model's inv_freq); empty when `base` speaks

  /// f_i = theta^(-2i / rotary_dim), Su et al. 2021 (RoFormer) section 3.2.2, then the scaling.
  static Frequencies theta(double base, int rotary_dim, Scaling scaling = {});
  /// Exactly these; attention_factor multiplies cos and sin.
  static Frequencies inv_freq(std::vector<float> values, double attention_factor = 1);

  /// F_i = round(f_i / (2 pi) * 2^64) mod 2^64: turns per position as 64-bit fixed point (numerics.md, angles).
  /// Correctly rounded for explicit values; from parameters within one unit of 2^-64 turn, and nearly always correctly.
  std::vector<std::uint64_t> turns() const;
  /// f_i correctly rounded to fp32: what `AngleMode::fp32_product` multiplies. Explicit values come back as they are.
  std::vector<float> rounded() const;
  /// The factor that multiplies cos and sin.
  float attention_factor() const;

  bool operator==(const Frequencies&) const = default;
};

}  // namespace ropeline
