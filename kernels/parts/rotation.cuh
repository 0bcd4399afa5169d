#pragma once

// docs/numerics.md, section 6.

#include "kernels/parts/angles.cuh"

namespace ropeline::kernel {

/// One pair: `first` makes its first element, `second` the other. With `products` the last rounding is the store's.
template <bool products, Element type>
ROPELINE_DEVICE void rotate(float& a, float& b, SinCos first, SinCos second) {
  if constexpr (products) {
    float product[4] = {mul(a, first.cos), mul(b, first.sin), mul(b, second.cos), mul(a, second.sin)};
    round<type>(product);
    a = sub(product[0], product[1]), b = add(product[2], product[3]);
  } else {
    const float was = a;
    a = fma(a, first.cos, -mul(b, first.sin)), b = fma(b, second.cos, mul(was, second.sin));
  }
}

/// Run w of a lane, its lo and hi elements. Elements outside the rotated slice are selected, so that what they hold
/// neither changes nor leaks.
template <RopeStep rope, class C, int n>
ROPELINE_DEVICE void rotate_run(float (&lo)[n], float (&hi)[n], const Angles<C>& angles, int lane, int w) {
  constexpr int half = n / 2, pairs = Spans<C>::pairs, in_run = Spans<C>::in_run;
#pragma unroll
  for (int i = 0; i < n; ++i) {
    float& first = !C::interleaved ? lo[i] : i < half ? lo[2 * i] : hi[2 * (i - half)];
    float& second = !C::interleaved ? hi[i] : i < half ? lo[2 * i + 1] : hi[2 * (i - half) + 1];
    float a = first, b = second;
    rotate<rope.products, C::activation()>(a, b, angles.of[0][w * n + i], angles.of[Spans<C>::ways - 1][w * n + i]);
    const int pair = first_pair<C>(lane, w * in_run + i / pairs) + i % pairs;
    if (!Spans<C>::some_do_not_turn || pair < Spans<C>::rotary) first = a, second = b;
  }
}

}  // namespace ropeline::kernel
