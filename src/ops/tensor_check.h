#pragma once

#include <ostream>

#include "ops/aliasing.h"
#include "ropeline/tensor.h"

/// What every op asks of a tensor, with the argument's name in the sentence. Each throws Error{invalid_argument}.
namespace ropeline::ops {

// Parts of a sentence that cost nothing until the sentence is needed: "[3, 4, 64]", "cuda:0".
struct Shape {
  const TensorView& view;
};
struct Strides {
  const TensorView& view;
};
struct On {
  const Device& device;
};
std::ostream& operator<<(std::ostream& out, Shape shape);
std::ostream& operator<<(std::ostream& out, Strides strides);
std::ostream& operator<<(std::ostream& out, On on);

/// A tensor that was found right: its name, and its bytes for the question which tensors of the call meet.
struct Tensor {
  const char* name;
  Extent extent;

  const TensorView& view() const { return *extent.view; }
};

/// Dtype and device as the plan wants them, addresses that exist, and a base that suits the elements.
Tensor check_memory(const char* name, const TensorView& view, DType dtype, const Device& device);

void check_unit_stride(const char* name, const TensorView& view);

/// Of a tensor that is written: no two elements lie in the same place.
void check_distinct(const Tensor& tensor);

/// Base and strides are multiples of so many bytes, a power of two; `rule` says what asks for it.
void check_alignment(const char* name, const TensorView& view, int bytes, const char* rule = "the spec's alignment");

}  // namespace ropeline::ops
