#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ropeline/tensor.h"

namespace ropeline::tools {

/// A dense, row-major tensor on the host that owns its memory. Copies share it. The base is aligned to 64 bytes.
class Tensor {
 public:
  Tensor() = default;  ///< absent
  /// Zero-filled. Throws Error{invalid_argument} for a rank above 4 or a negative extent.
  Tensor(DType dtype, const std::vector<std::int64_t>& shape);

  const TensorView& view() const noexcept { return view_; }
  operator const TensorView&() const noexcept { return view_; }
  explicit operator bool() const noexcept { return static_cast<bool>(view_); }

  std::size_t bytes() const noexcept { return static_cast<std::size_t>(view_.elements()) * size_of(view_.dtype); }
  std::byte* data() const noexcept { return memory_.get(); }

  template <class T>
  T* as() const noexcept {
    return static_cast<T*>(view_.data);
  }

 private:
  std::shared_ptr<std::byte> memory_;
  TensorView view_;
};

/// A tensor and what it is called.
struct NamedTensor {
  const char* name;
  Tensor tensor;
};

/// The extents of a view.
std::vector<std::int64_t> shape_of(const TensorView& view);

/// A dense copy in another dtype, or the same. Between fp32, fp16 and bf16 the value is rounded to nearest even,
/// between integers it is kept. Throws Error{invalid_argument} for any other pair.
Tensor convert(const TensorView& view, DType dtype);

/// Elements [first, last) of the leading dimension; the same memory.
TensorView slice(TensorView view, std::int64_t first, std::int64_t last);

/// Element i (in memory order) of a dense floating tensor, FP8 too, as fp32.
float value_at(const TensorView& dense, std::int64_t i);

}  // namespace ropeline::tools
