#pragma once

#include "ropeline/frequencies.h"

namespace ropeline::angles {

/// Throws Error{invalid_argument} for parameters that no model can mean. The sentence starts with the field, `base 0
/// must be a finite number above 0`, so that a caller can say where it stands: `q.rope: base 0 must ...`.
void check(const Frequencies& frequencies);

}  // namespace ropeline::angles
