#pragma once

// docs/numerics.md, section 3: 1/sqrt(a), correctly rounded.

#include "kernels/core/arithmetic.cuh"
#include "kernels/ptx/arithmetic.cuh"

namespace ropeline::kernel {

/// For a >= 2^-126, infinity and NaN. The estimate y leaves the residual e = 1 - a*y*y, known to about 2^-46 because
/// both products are split exactly; one correction with its second-order term then rounds correctly for every a
/// (checked for all of them, and for estimates two units off). The minimum keeps infinity times zero out of the
/// residual.
ROPELINE_DEVICE float inverse_root(float a) {
  constexpr float largest = 0x1.fffffep+127f;
  const float y = ptx::rsqrt_approx(a);
  const float m = ptx::min(a, largest);
  const float g = mul(m, y);
  const float e = fma(-fma(m, y, -g), y, fma(-g, y, 1.0f));
  return fma(fma(e, 0.375f, 0.5f), mul(y, e), y);
}

/// For every a > 0: a subnormal one is scaled by an even power of two, which is exact on both sides.
ROPELINE_DEVICE float inverse_root_of_any(float a) {
  const bool small = a < 0x1p-126f;
  const float y = inverse_root(small ? mul(a, 0x1p+24f) : a);
  return small ? mul(y, 0x1p+12f) : y;
}

}  // namespace ropeline::kernel
