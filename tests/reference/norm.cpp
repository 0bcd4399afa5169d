#include "reference/norm.h"

#include <cmath>

#include "reference/element.h"

namespace ropeline::reference {
namespace {

using Measure = float (*)(const std::vector<float>&, const Pairs&);

/// One sum over the heads [first, last): each head's tree, then the tree of those.
float over_heads(const Rows& heads, std::size_t first, std::size_t last, const Pairs& pairs, Measure measure) {
  std::vector<float> sums;
  for (std::size_t h = first; h < last; ++h) sums.push_back(measure(heads[h], pairs));
  return tree(std::move(sums));
}

void center(Rows& heads, std::size_t first, std::size_t last, const Pairs& pairs, float over_count) {
  const float mean = over_heads(heads, first, last, pairs, sum) * over_count;
  for (std::size_t h = first; h < last; ++h)
    for (float& x : heads[h]) x = x - mean;
}

float weight_at(const Norm& norm, const TensorView& weight, std::size_t head, int i, int head_dim) {
  const bool shared = norm.weight == WeightShape::row && norm.extent == Extent::head;
  std::int64_t offset = i;
  if (norm.weight == WeightShape::row_per_head)
    offset = static_cast<std::int64_t>(head) * weight.strides[0] + i;
  else if (!shared)
    offset = static_cast<std::int64_t>(head) * head_dim + i;
  const float w = load(weight, offset);
  return norm.weight_offset == 0 ? w : w + norm.weight_offset;
}

/// x times the inverse root, times the weight, with the roundings of the mode.
float scaled(float x, float inv, const Norm& norm, const float* w, const float* b, DType activation) {
  const auto R = [&](float y) { return round_to(activation, y); };
  float y = 0;
  switch (norm.rounding) {
    case NormRounding::none:
    case NormRounding::end:
      y = x * inv;
      if (w && b)
        y = std::fma(y, *w, *b);
      else if (w)
        y = y * *w;
      return norm.rounding == NormRounding::end ? R(y) : y;
    case NormRounding::inner: y = R(x * inv); return w ? R(*w * y) : y;
    case NormRounding::factor: y = R(x * R(inv)); return w ? R(*w * y) : y;
  }
  return y;
}

}  // namespace

float inverse_root(float a) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(a))); }

void normalise(Rows& heads, const Norm& norm, const Pairs& pairs, const TensorView& weight, const TensorView& bias,
               DType activation) {
  const int head_dim = static_cast<int>(heads[0].size());
  const std::size_t group = norm.extent == Extent::all_heads ? heads.size() : 1;
  const float over_count = 1.0f / static_cast<float>(group * head_dim);
  for (std::size_t first = 0; first < heads.size(); first += group) {
    const std::size_t last = first + group;
    if (norm.center) center(heads, first, last, pairs, over_count);
    const float squares = over_heads(heads, first, last, pairs, sum_of_squares);
    const float inv =
        inverse_root(norm.unit == SumUnit::mean ? std::fma(squares, over_count, norm.eps) : squares + norm.eps);
    for (std::size_t h = first; h < last; ++h)
      for (int i = 0; i < head_dim; ++i) {
        const float w = weight ? weight_at(norm, weight, h, i, head_dim) : 0;
        const float b = bias ? load(bias, i) : 0;
        heads[h][i] = scaled(heads[h][i], inv, norm, weight ? &w : nullptr, bias ? &b : nullptr, activation);
      }
  }
}

}  // namespace ropeline::reference
