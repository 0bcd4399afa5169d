#include "ropeline/tensor.h"

#include <algorithm>

#include "error.h"

namespace ropeline {

TensorView::TensorView(const void* data, DType dtype, std::initializer_list<std::int64_t> shape, Device device)
    : data(const_cast<void*>(data)), dtype(dtype), device(device), rank(static_cast<int>(shape.size())) {
  require(rank <= max_rank, "shape: rank ", shape.size(), " is not 0 to ", max_rank);
  std::copy(shape.begin(), shape.end(), this->shape.begin());
  std::int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    strides[i] = stride;
    __builtin_mul_overflow(stride, this->shape[i], &stride);  // wraps: a run refuses a shape that no memory has
  }
}

TensorView::TensorView(const void* data, DType dtype, std::initializer_list<std::int64_t> shape,
                       std::initializer_list<std::int64_t> strides, Device device)
    : TensorView(data, dtype, shape, device) {
  require(strides.size() == shape.size(), "strides: ", strides.size(), " for a shape of rank ", shape.size());
  std::copy(strides.begin(), strides.end(), this->strides.begin());
}

}  // namespace ropeline
