#pragma once

#include <vector>

#include "angles/double_double.h"
#include "ropeline/frequencies.h"

namespace ropeline::angles {

/// The rotary_dim / 2 frequencies of checked parameters with a base, in radians per position.
/// Formulas: transformers' modeling_rope_utils.py, evaluated here in double-double.
std::vector<DoubleDouble> scaled_frequencies(const Frequencies& frequencies);

/// What cos and sin are multiplied by: the given factor, else what YaRN and longrope say, else 1.
double attention_factor(const Scaling& scaling);

/// YaRN's: 0.1 * mscale * ln(factor) + 1, and 1 for factor <= 1.
double yarn_attention_factor(double factor, double mscale = 1);

}  // namespace ropeline::angles
