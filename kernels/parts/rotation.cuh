#pragma once

// docs/numerics.md, section 6.

#include "kernels/parts/angles.cuh"

namespace ropeline::kernel {

/// One pair. With `products` the last rounding is the store's.
template <bool products, Element type>
ROPELINE_DEVICE void rotate(float& a, float& b, const Turn& turn) {
  float product[4] = {mul(b, turn.s1), mul(a, turn.s2)};
  if constexpr (products) {
    product[2] = mul(a, turn.c1), product[3] = mul(b, turn.c2);
    round<type>(product);
    a = sub(product[2], product[0]), b = add(product[3], product[1]);
  } else {
    a = fma(a, turn.c1, -product[0]), b = fma(b, turn.c2, product[1]);
  }
}

/// One run of a lane, its lo and hi elements, by the turns of its spans. Elements outside the rotated slice are
/// selected, so that what they hold neither changes nor leaks.
template <class C, RopeStep rope, int n>
ROPELINE_DEVICE void rotate_run(float (&lo)[n], float (&hi)[n], const Turn* turn, Spans<C> spans, int w) {
  constexpr int half = n / 2, pairs = Spans<C>::pairs;
#pragma unroll
  for (int i = 0; i < n; ++i) {
    float& first = !C::interleaved ? lo[i] : i < half ? lo[2 * i] : hi[2 * (i - half)];
    float& second = !C::interleaved ? hi[i] : i < half ? lo[2 * i + 1] : hi[2 * (i - half) + 1];
    float a = first, b = second;
    rotate<rope.products, C::activation()>(a, b, turn[i]);
    if (spans.turns(spans.first(w * Spans<C>::in_run + i / pairs) + i % pairs)) first = a, second = b;
  }
}

}  // namespace ropeline::kernel
