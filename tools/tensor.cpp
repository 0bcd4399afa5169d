#include "tools/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstring>
#include <new>

#include "kernels/shared/numbers.h"
#include "ropeline/error.h"
#include "tests/reference/kv_cast.h"

namespace ropeline::tools {
namespace {

bool is_float(DType type) { return type == DType::fp32 || type == DType::fp16 || type == DType::bf16; }

float load(const void* at, DType type) {
  if (type == DType::fp8_e4m3) return static_cast<float>(reference::e4m3_value(*static_cast<const std::uint8_t*>(at)));
  if (type == DType::fp32) return *static_cast<const float*>(at);
  const auto bits = *static_cast<const std::uint16_t*>(at);
  return type == DType::bf16 ? bf16_to_fp32(bits) : fp16_to_fp32(bits);
}

void store(void* at, DType type, float x) {
  if (type == DType::fp32)
    *static_cast<float*>(at) = x;
  else
    *static_cast<std::uint16_t*>(at) = type == DType::bf16 ? fp32_to_bf16(x) : fp32_to_fp16(x);
}

std::int64_t load_integer(const void* at, DType type) {
  return type == DType::int32 ? *static_cast<const std::int32_t*>(at) : *static_cast<const std::int64_t*>(at);
}

void store_integer(void* at, DType type, std::int64_t x) {
  if (type == DType::int32)
    *static_cast<std::int32_t*>(at) = static_cast<std::int32_t>(x);
  else
    *static_cast<std::int64_t*>(at) = x;
}

void check_pair(DType from, DType to) {
  if (from == to) return;
  const bool integers = (from == DType::int32 || from == DType::int64) && (to == DType::int32 || to == DType::int64);
  if ((is_float(from) && is_float(to)) || integers) return;
  throw Error(ErrorKind::invalid_argument,
              fmt::format("convert: no conversion from {} to {}", name_of(from), name_of(to)));
}

// Systems that overcommit would hand out more than they have and end the program later, so the size is judged here.
void require_room(DType dtype, const std::vector<std::int64_t>& shape) {
  auto bytes = static_cast<double>(size_of(dtype));  // a double: the product of the extents may exceed 64 bits
  for (std::int64_t extent : shape) bytes *= static_cast<double>(extent);
  const double memory = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  if (bytes > memory)
    throw Error(ErrorKind::unavailable, fmt::format("tensor: [{}] of {} takes {:.1f} GB, this machine has {:.1f} GB",
                                                    fmt::join(shape, ", "), name_of(dtype), bytes / 1e9, memory / 1e9));
}

// Calls element(address) for each element in row-major order.
template <class Element>
void walk(const TensorView& view, int axis, const std::byte* at, const Element& element) {
  if (axis == view.rank) return element(at);
  const std::int64_t step = view.strides[axis] * static_cast<std::int64_t>(size_of(view.dtype));
  for (std::int64_t i = 0; i < view.shape[axis]; ++i) walk(view, axis + 1, at + i * step, element);
}

}  // namespace

Tensor::Tensor(DType dtype, const std::vector<std::int64_t>& shape) {
  if (shape.size() > TensorView::max_rank)
    throw Error(ErrorKind::invalid_argument,
                fmt::format("tensor: rank {} exceeds {}", shape.size(), TensorView::max_rank));
  require_room(dtype, shape);
  view_.dtype = dtype;
  view_.rank = static_cast<int>(shape.size());
  std::int64_t stride = 1;
  for (int i = view_.rank - 1; i >= 0; --i) {
    if (shape[i] < 0) throw Error(ErrorKind::invalid_argument, fmt::format("tensor: extent {} is negative", shape[i]));
    view_.shape[i] = shape[i];
    view_.strides[i] = stride;
    stride *= shape[i];
  }
  constexpr std::align_val_t kAlignment{64};
  const std::size_t size = bytes() + 64;  // never empty, so that the base is always a real address
  memory_ = {static_cast<std::byte*>(::operator new(size, kAlignment)),
             [=](std::byte* p) { ::operator delete(p, kAlignment); }};
  std::memset(memory_.get(), 0, size);
  view_.data = memory_.get();
}

std::vector<std::int64_t> shape_of(const TensorView& view) {
  return {view.shape.begin(), view.shape.begin() + std::max(view.rank, 0)};
}

Tensor convert(const TensorView& view, DType dtype) {
  check_pair(view.dtype, dtype);
  Tensor copy(dtype, shape_of(view));
  std::byte* out = copy.data();
  const bool floats = is_float(dtype);
  walk(view, 0, static_cast<const std::byte*>(view.data), [&](const std::byte* in) {
    if (dtype == view.dtype)
      std::memcpy(out, in, size_of(dtype));  // keeps the payload of a NaN
    else if (floats)
      store(out, dtype, load(in, view.dtype));
    else
      store_integer(out, dtype, load_integer(in, view.dtype));
    out += size_of(dtype);
  });
  return copy;
}

TensorView slice(TensorView view, std::int64_t first, std::int64_t last) {
  const std::int64_t bytes = first * view.strides[0] * static_cast<std::int64_t>(size_of(view.dtype));
  view.data = static_cast<std::byte*>(view.data) + bytes;
  view.shape[0] = last - first;
  return view;
}

float value_at(const TensorView& dense, std::int64_t i) {
  const auto offset = static_cast<std::size_t>(i) * size_of(dense.dtype);
  return load(static_cast<const std::byte*>(dense.data) + offset, dense.dtype);
}

}  // namespace ropeline::tools
