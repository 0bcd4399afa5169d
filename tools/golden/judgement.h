#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ropeline/tensor.h"

namespace ropeline::tools::golden {

/// How outputs compare with recorded ones. docs/numerics.md, "How we judge against recorded models": fp32 within
/// 1e-5 * max(1, |x|); bf16 equal except for at most 0.05 % of the elements (two in a small file), each at most 2 ulp
/// away, because the order of a sum is not part of a model's rules.
struct Judgement {
  std::int64_t bf16_values = 0, bf16_differ = 0;
  int bf16_worst_ulp = 0;
  std::int64_t fp32_values = 0;
  double fp32_worst_error = 0;  ///< |got - recorded| / max(1, |recorded|)
  std::string worst;            ///< the element furthest away, in words

  /// Compares two dense [T, H, D] tensors of one dtype, bf16 or fp32. `what` names them.
  void add(const TensorView& got, const TensorView& recorded, const std::string& what);
  void add(const Judgement& other);

  /// bf16 elements that may differ.
  std::int64_t allowance() const;
  /// What is beyond the bounds, or an empty string.
  std::string fault() const;
};

/// Bits that differ between two dense tensors of the same bytes.
std::int64_t bits_that_differ(const TensorView& a, const TensorView& b);

}  // namespace ropeline::tools::golden
