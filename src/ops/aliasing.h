#pragma once

#include <cstdint>

#include "ropeline/tensor.h"

namespace ropeline::ops {

/// Whether views of one shape step alike. The stride of a dimension of size 1 is never taken, and does not count.
bool same_strides(const TensorView& a, const TensorView& b);

/// Same base, shape and strides: the output that is its own input.
bool same_place(const TensorView& a, const TensorView& b);

/// A view and the bytes from its lowest to past its highest element; none for a view that is absent or has no elements.
/// Made once of each tensor of a call, which is then compared with all others.
struct Extent {
  explicit Extent(const TensorView& v) : view(v) {
    if (v) measure();
  }

  const TensorView& view;
  std::intptr_t begin = 0, end = 0;

 private:
  void measure();
};

/// Whether the two may share a byte. Exact for disjoint ranges, and for slices of one packed buffer whose token (or
/// batch, or head) strides are equal; otherwise two views whose ranges meet count as overlapping.
bool share_bytes(const TensorView& a, const TensorView& b);
inline bool may_overlap(const Extent& a, const Extent& b) {
  return a.begin < b.end && b.begin < a.end && share_bytes(a.view, b.view);
}
inline bool may_overlap(const TensorView& a, const TensorView& b) { return may_overlap(Extent(a), Extent(b)); }

/// Whether two elements of one view may lie in the same place (a zero stride, or strides smaller than what they step
/// over). Such a view can be read, not written.
bool overlaps_itself(const TensorView& view);

}  // namespace ropeline::ops
