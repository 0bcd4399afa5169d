#pragma once

#include <cstdint>

#include "ropeline/tensor.h"

/// Elements of tensors as numbers, and the rounding R of docs/numerics.md.
namespace ropeline::reference {

/// R: x rounded to a dtype by round to nearest even and widened again; fp32 leaves it alone.
float round_to(DType type, float x);

/// Section 1. The element at an offset (in elements) from the base, widened exactly.
float load(const TensorView& view, std::int64_t offset);

/// Section 7. The element at an offset, rounded to the view's dtype.
void store(const TensorView& view, std::int64_t offset, float x);

/// An int32 or int64 element, whole.
std::int64_t load_integer(const TensorView& view, std::int64_t offset);

}  // namespace ropeline::reference
