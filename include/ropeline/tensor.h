#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "ropeline/device.h"
#include "ropeline/dtype.h"
#include "ropeline/export.h"

namespace ropeline {

/// A view of a tensor that somebody else owns: base, type, shape and strides (in elements). Rank 0 to 4.
/// A default-made view is absent (`!view`), which is how an optional argument is left out.
/// A view with zero elements may have null data; any other view with null data is refused when a plan runs, and so is a
/// base that is not a multiple of the element's size.
struct ROPELINE_API TensorView {
  static constexpr int max_rank = 4;
  static constexpr int absent = -1;

  void* data = nullptr;
  DType dtype = DType::fp32;
  Device device = {};
  int rank = absent;
  std::array<std::int64_t, max_rank> shape = {};
  std::array<std::int64_t, max_rank> strides = {};

  TensorView() = default;

  /// A dense, row-major view. Throws Error{invalid_argument} for a rank above 4.
  TensorView(const void* data, DType dtype, std::initializer_list<std::int64_t> shape, Device device = {});

  /// A strided view; strides count elements, one for each dimension. Throws Error{invalid_argument} for another number.
  TensorView(const void* data, DType dtype, std::initializer_list<std::int64_t> shape,
             std::initializer_list<std::int64_t> strides, Device device = {});

  explicit operator bool() const noexcept { return rank != absent; }

  std::int64_t elements() const noexcept {
    std::int64_t n = rank == absent ? 0 : 1;
    for (int i = 0; i < rank; ++i) n *= shape[i];
    return n;
  }
};

}  // namespace ropeline
