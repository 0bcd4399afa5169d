#pragma once

// docs/numerics.md, section 4.

#include "kernels/core/run.cuh"
#include "kernels/parts/inverse_root.cuh"

namespace ropeline::kernel {

/// The numbers of a norm that the launch brings.
struct NormNumbers {
  float eps, offset;
};

template <NormStep norm, int head_dim>
ROPELINE_DEVICE float inverse_norm(float sum, float eps) {
  constexpr float over_count = 1.0f / static_cast<float>(head_dim);
  const float a = norm.mean ? fma(sum, over_count, eps) : add(sum, eps);
  return norm.tiny_eps ? inverse_root_of_any(a) : inverse_root(a);
}

/// A run times the inverse root and the weight. `last` leaves the final rounding to the store.
template <NormStep norm, bool last, Element type, Element weight_type, int n>
ROPELINE_DEVICE void normalise(float (&y)[n], const Run<type, n>& x, float inv, const Run<weight_type, n>& weight,
                               float offset) {
  if constexpr (norm.round == Round::factor) inv = rounded<type>(inv);
#pragma unroll
  for (int i = 0; i < n; ++i) y[i] = mul(element(x, i), inv);
  constexpr bool inner = norm.round == Round::inner || norm.round == Round::factor;
  if constexpr (inner && (norm.weight || !last)) round<type>(y);
  if constexpr (norm.weight) {
#pragma unroll
    for (int i = 0; i < n; ++i) {
      const float w = element(weight, i);
      y[i] = mul(y[i], norm.offset ? add(w, offset) : w);
    }
    if constexpr (norm.round != Round::none && !last) round<type>(y);
  } else if constexpr (norm.round == Round::end && !last) {
    round<type>(y);
  }
}

}  // namespace ropeline::kernel
