#pragma once

#include <vector>

#include "angles/double_double.h"
#include "ropeline/frequencies.h"

namespace ropeline::angles {

/// The rotary_dim / 2 frequencies of checked parameters with a base, in radians per position.
/// Formulas: transformers' modeling_rope_utils.py, evaluated here in double-double.
std::vector<DoubleDouble> scaled_frequencies(const Frequencies& frequencies);

}  // namespace ropeline::angles
