#pragma once

#include <vector>

#include "reference/sum.h"
#include "ropeline/spec.h"
#include "ropeline/tensor.h"

namespace ropeline::reference {

/// The heads of one token of one stream, as fp32.
using Rows = std::vector<std::vector<float>>;

/// docs/numerics.md, section 3: 1/sqrt(a), correctly rounded.
float inverse_root(float a);

/// docs/numerics.md, section 4, in place. `weight` and `bias` may be absent; `activation` is what R rounds to.
void normalise(Rows& heads, const Norm& norm, const Pairs& pairs, const TensorView& weight, const TensorView& bias,
               DType activation);

}  // namespace ropeline::reference
