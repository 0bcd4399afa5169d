#pragma once

// docs/numerics.md, section 2: squares of the two elements of a pair, then the tree over neighbours: in the lane, over
// adjacent lanes, over the lane's runs. Every mapping adds in this order.

#include "kernels/core/arithmetic.cuh"
#include "kernels/core/run.cuh"
#include "kernels/core/warp.cuh"

namespace ropeline::kernel {

/// The tree over what one lane holds.
template <int n>
ROPELINE_DEVICE float tree(float (&leaf)[n]) {
#pragma unroll
  for (int left = n; left > 1; left /= 2)
#pragma unroll
    for (int i = 0; i < left / 2; ++i) leaf[i] = add(leaf[2 * i], leaf[2 * i + 1]);
  return leaf[0];
}

template <Element type, int n>
ROPELINE_DEVICE float sum_of_squares(const Run<type, n>& lo, const Run<type, n>& hi) {
  float leaf[n];
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const float a = element(lo, i), b = element(hi, i);
    leaf[i] = fma(b, b, mul(a, a));
  }
  return tree(leaf);
}

/// The tree over the lanes of a head, for several sums at once so that their shuffles overlap.
template <int lanes, int slots, int runs>
ROPELINE_DEVICE void sum_over_lanes(float (&sum)[slots][runs]) {
#pragma unroll
  for (int distance = 1; distance < lanes; distance *= 2)
#pragma unroll
    for (int s = 0; s < slots; ++s)
#pragma unroll
      for (int w = 0; w < runs; ++w) sum[s][w] = add(sum[s][w], from_neighbour(sum[s][w], distance));
}

}  // namespace ropeline::kernel
