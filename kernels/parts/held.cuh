#pragma once

// What a lane holds of one head (or of a weight row, which is laid out as a head is), and its way from and to memory.

#include "kernels/core/run.cuh"
#include "kernels/parts/layout.cuh"

namespace ropeline::kernel {

template <class C, Element type>
struct Held {
  Run<type, C::run> lo[C::runs], hi[C::runs];
};

/// Where the lo and the hi elements of a run begin, seen from where the lane begins; element by element in the form for
/// what is not aligned, because there a run may lie across the end of the rotary part.
template <class C, bool rope, class Bytes>
struct Ends {
  Bytes lo, hi;

  ROPELINE_DEVICE Ends(Bytes head, int w, int i, int size, Layout<C, rope> layout) {
    const int pair = layout.first_pair(w) + i;
    lo = head + (w * C::lanes * C::run + i) * size + layout.shift(pair) * size;
    hi = lo + layout.distance(pair) * size;
  }
};

template <Memory memory, class C, bool rope, Element type>
ROPELINE_DEVICE void load_run(Held<C, type>& held, int w, const char* head, Layout<C, rope> layout) {
#pragma unroll
  for (int i = 0; i < C::run; i += C::access) {
    const Ends<C, rope, const char*> at(head, w, i, size_of(type), layout);
    if constexpr (C::access == 1)
      load_element<memory>(held.lo[w], i, at.lo), load_element<memory>(held.hi[w], i, at.hi);
    else
      load<memory, C::access>(held.lo[w], at.lo), load<memory, C::access>(held.hi[w], at.hi);
  }
}

template <Memory memory, class C, bool rope, Element type>
ROPELINE_DEVICE void load_head(Held<C, type>& held, const char* head, Layout<C, rope> layout) {
#pragma unroll
  for (int w = 0; w < C::runs; ++w)
    if (layout.holds(w)) load_run<memory>(held, w, head, layout);
}

template <class C, bool rope, Element type>
ROPELINE_DEVICE void store_run(char* head, const Held<C, type>& held, int w, Layout<C, rope> layout) {
#pragma unroll
  for (int i = 0; i < C::run; i += C::access) {
    const Ends<C, rope, char*> at(head, w, i, size_of(type), layout);
    if constexpr (C::access == 1)
      store_element(at.lo, held.lo[w], i), store_element(at.hi, held.hi[w], i);
    else
      store(at.lo, held.lo[w]), store(at.hi, held.hi[w]);
  }
}

template <class C, bool rope, Element type>
ROPELINE_DEVICE void store_head(char* head, const Held<C, type>& held, Layout<C, rope> layout) {
#pragma unroll
  for (int w = 0; w < C::runs; ++w)
    if (layout.holds(w)) store_run(head, held, w, layout);
}

}  // namespace ropeline::kernel
