#pragma once

// docs/numerics.md, section 6.

#include "kernels/parts/angles.cuh"

namespace ropeline::kernel {

/// n pairs (a, b) at once. With `products` the last rounding is the store's.
template <bool products, Element type, int n>
ROPELINE_DEVICE void rotate(float (&a)[n], float (&b)[n], const Turn* turn) {
  float ac[n], as[n], bc[n], bs[n];
#pragma unroll
  for (int i = 0; i < n; ++i) {
    bs[i] = mul(b[i], turn[i].s1), as[i] = mul(a[i], turn[i].s2);
    if constexpr (products) ac[i] = mul(a[i], turn[i].c1), bc[i] = mul(b[i], turn[i].c2);
  }
  if constexpr (products) round<type>(ac), round<type>(as), round<type>(bc), round<type>(bs);
#pragma unroll
  for (int i = 0; i < n; ++i) {
    const float x = a[i], y = b[i];
    a[i] = products ? sub(ac[i], bs[i]) : fma(x, turn[i].c1, -bs[i]);
    b[i] = products ? add(bc[i], as[i]) : fma(y, turn[i].c2, as[i]);
  }
}

/// One run of a lane, its lo and hi elements, by the turns of its spans. Elements outside the rotated slice are
/// selected, so that what they hold neither changes nor leaks.
template <class C, RopeStep rope, int n>
ROPELINE_DEVICE void rotate_run(float (&lo)[n], float (&hi)[n], const Turn* turn, Spans<C> spans, int w) {
  constexpr int half = n / 2;
  float a[n], b[n];
#pragma unroll
  for (int i = 0; i < n; ++i) {
    a[i] = !C::interleaved ? lo[i] : i < half ? lo[2 * i] : hi[2 * (i - half)];
    b[i] = !C::interleaved ? hi[i] : i < half ? lo[2 * i + 1] : hi[2 * (i - half) + 1];
  }
  rotate<rope.products, C::activation>(a, b, turn);
#pragma unroll
  for (int i = 0; i < n; ++i) {
    constexpr int pairs = Spans<C>::pairs;
    if (!spans.turns(spans.first(w * Spans<C>::in_run + i / pairs) + i % pairs)) continue;
    float& first = !C::interleaved ? lo[i] : i < half ? lo[2 * i] : hi[2 * (i - half)];
    float& second = !C::interleaved ? hi[i] : i < half ? lo[2 * i + 1] : hi[2 * (i - half) + 1];
    first = a[i], second = b[i];
  }
}

}  // namespace ropeline::kernel
