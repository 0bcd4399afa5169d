#pragma once

// What a lane holds of one head (or of a weight row, which is laid out as a head is), and its way from and to memory.
// `at` is where the lane's first lo element is.

#include "kernels/core/run.cuh"
#include "kernels/parts/layout.cuh"

namespace ropeline::kernel {

template <class C, Element type>
struct Held {
  Run<type, C::run> lo[C::runs], hi[C::runs];
};

template <Memory memory, bool rope, class C, Element type>
ROPELINE_DEVICE void load_head(Held<C, type>& x, const char* at, int lane) {
  constexpr int size = size_of(type);
#pragma unroll
  for (int n = 0; n < C::runs * C::run; n += C::access) {
    const int w = n / C::run, i = n % C::run;
    const Ends ends = ends_of<C, rope>(lane, w, i);
    if (!ends.exist) {
#pragma unroll
      for (int word = 0; word < x.lo->words; ++word) x.lo[w].word[word] = x.hi[w].word[word] = 0;
    } else if constexpr (C::access == 1) {
      load_element<memory>(x.lo[w], i, at + ends.lo * size), load_element<memory>(x.hi[w], i, at + ends.hi * size);
    } else {
      load<memory>(x.lo[w], at + ends.lo * size), load<memory>(x.hi[w], at + ends.hi * size);
    }
  }
}

template <bool rope, class C, Element type>
ROPELINE_DEVICE void store_head(char* at, const Held<C, type>& x, int lane) {
  constexpr int size = size_of(type);
#pragma unroll
  for (int n = 0; n < C::runs * C::run; n += C::access) {
    const int w = n / C::run, i = n % C::run;
    const Ends ends = ends_of<C, rope>(lane, w, i);
    if (!ends.exist) continue;
    if constexpr (C::access == 1)
      store_element(at + ends.lo * size, x.lo[w], i), store_element(at + ends.hi * size, x.hi[w], i);
    else
      store(at + ends.lo * size, x.lo[w]), store(at + ends.hi * size, x.hi[w]);
  }
}

}  // namespace ropeline::kernel
