#pragma once

#include <algorithm>
#include <cstdint>

#include "ropeline/tensor.h"

namespace ropeline::ops {

/// The bytes of a view, from its lowest to past its highest element; none for a view that is absent or has no elements.
/// Measured once of each tensor of a call, which is then compared with all others.
struct Extent {
  const TensorView* view;
  std::intptr_t begin, end;
  bool nested;  ///< strides grow from the last dimension to the first, each beyond what those behind it cover

  bool is_empty() const { return begin == end; }
};

/// Elements, further than which no memory reaches.
inline constexpr std::int64_t farthest = std::int64_t{1} << 57;

/// Makes the extent of a view that is present and has elements of so many bytes. False if one of them has no address: a
/// negative size, or counts or distances that no memory has.
inline bool measure(const TensorView& view, std::int64_t size, Extent& extent) {
  std::int64_t elements = 1, above = 0, below = 0;  // above and below: how far from the base
  bool nested = true;
  for (int i = view.rank - 1; i >= 0; --i) {
    const std::int64_t count = view.shape[i], stride = view.strides[i];
    if (count == 1) continue;  // the stride is never taken
    if (count < 0) return false;
    if (__builtin_mul_overflow(elements, count, &elements)) return false;
    if (count == 0) continue;
    std::int64_t reach;
    if (__builtin_mul_overflow(stride, count - 1, &reach)) return false;
    if (reach > farthest || reach < -farthest) return false;
    nested &= stride > above;
    (reach < 0 ? below : above) += reach;
  }
  const auto base = reinterpret_cast<std::intptr_t>(view.data);
  extent = {.view = &view, .begin = base + below * size, .end = base + (above + 1) * size, .nested = nested};
  if (elements == 0) extent.end = extent.begin = 0;
  return elements <= farthest;
}

/// Whether views of one shape step alike. The stride of a dimension of size 1 is never taken, and does not count.
bool same_strides(const TensorView& a, const TensorView& b);

/// Same base, shape and strides: the output that is its own input.
bool same_place(const TensorView& a, const TensorView& b);

/// Whether the two may share a byte. Exact for disjoint ranges, and for slices of one packed buffer whose token (or
/// batch, or head) strides are equal; otherwise two views whose ranges meet count as overlapping.
bool share_bytes(const TensorView& a, const TensorView& b);
inline bool may_overlap(const Extent& a, const Extent& b) {
  return a.begin < b.end && b.begin < a.end && share_bytes(*a.view, *b.view);
}

/// Whether two elements of one view may lie in the same place (a zero stride, or strides smaller than what they step
/// over). Such a view can be read, not written.
bool folds(const TensorView& view);
inline bool overlaps_itself(const Extent& extent) {
  return !extent.nested && !extent.is_empty() && folds(*extent.view);
}

}  // namespace ropeline::ops
