#include "ops/aliasing.h"

#include <algorithm>
#include <cstdint>

namespace ropeline::ops {
namespace {

struct Range {
  std::intptr_t begin, end;
};

// Bytes from the lowest to past the highest element, leaving out the dimensions whose bit is set in `skip`.
Range bytes_of(const TensorView& view, unsigned skip) {
  const auto base = reinterpret_cast<std::intptr_t>(view.data);
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  Range range{base, base + size};
  for (int i = 0; i < view.rank; ++i) {
    if (skip >> i & 1) continue;
    const std::int64_t reach = view.strides[i] * (view.shape[i] - 1) * size;
    (reach < 0 ? range.begin : range.end) += reach;
  }
  return range;
}

// x modulo y, from 0 to y - 1. Most tensors lie within one row of each other, and a division is what takes time here.
std::int64_t modulo(std::int64_t x, std::int64_t y) {
  if (x >= 0 && x < y) return x;
  if (x == y) return 0;
  if (x < 0 && -x < y) return x + y;
  const std::int64_t rest = x % y;
  return rest < 0 ? rest + y : rest;
}

// The dimensions that step by whole multiples of `stride`: they do not move a view modulo it.
unsigned multiples(const TensorView& view, std::int64_t stride) {
  unsigned mask = 0;
  for (int i = 0; i < view.rank; ++i)
    if (view.shape[i] == 1 || modulo(view.strides[i], stride) == 0) mask |= 1u << i;
  return mask;
}

// Slices of one buffer of rows: disjoint when what each covers of a row is disjoint, modulo the row.
bool disjoint_modulo(const TensorView& a, const TensorView& b, int dim) {
  const std::int64_t stride = a.strides[dim];
  if (stride <= 0 || stride > farthest || stride != b.strides[dim]) return false;
  const auto row = static_cast<std::intptr_t>(stride * static_cast<std::int64_t>(size_of(a.dtype)));
  const Range x = bytes_of(a, multiples(a, stride)), y = bytes_of(b, multiples(b, stride));
  const std::intptr_t gap = modulo(y.begin - x.begin, row);
  return gap >= x.end - x.begin && gap + (y.end - y.begin) <= row;
}

}  // namespace

bool same_strides(const TensorView& a, const TensorView& b) {
  for (int i = 0; i < a.rank; ++i)
    if (a.shape[i] > 1 && a.strides[i] != b.strides[i]) return false;
  return true;
}

[[gnu::hot]] bool same_place(const TensorView& a, const TensorView& b) {
  return a.data == b.data && a.rank == b.rank && a.shape == b.shape && a.dtype == b.dtype && same_strides(a, b);
}

[[gnu::hot]] bool share_bytes(const TensorView& a, const TensorView& b) {
  if (a.rank != b.rank || a.dtype != b.dtype) return true;
  for (int dim = 0; dim + 1 < a.rank; ++dim)  // rows of tokens first: they tell packed q and k apart
    if (disjoint_modulo(a, b, dim)) return false;
  return true;
}

bool folds(const TensorView& view) {
  struct Step {
    std::int64_t stride, count;
  };
  std::array<Step, TensorView::max_rank> steps;  // the shortest stride first
  auto end = steps.begin();
  for (int i = 0; i < view.rank; ++i) {
    if (view.shape[i] <= 1) continue;
    *end = {std::abs(view.strides[i]), view.shape[i]};
    const auto place = std::find_if(steps.begin(), end, [&](Step other) { return other.stride > end->stride; });
    std::rotate(place, end, end + 1);
    ++end;
  }
  std::int64_t span = 1;  // elements that the steps so far cover
  for (auto step = steps.begin(); step != end; ++step) {
    if (step->stride < span) return true;
    span += step->stride * (step->count - 1);
  }
  return false;
}

}  // namespace ropeline::ops
