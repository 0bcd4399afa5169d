#pragma once

/// From and to DLPack, for any version of its header. These are templates over the caller's own `DLTensor`, so that
/// Ropeline needs no DLPack header and never disagrees with the one that the caller has.
///
///     #include <dlpack/dlpack.h>
///     #include <ropeline/dlpack.h>
///     rl::TensorView q = rl::from_dlpack(managed->dl_tensor);

#include <string>

#include "ropeline/error.h"
#include "ropeline/tensor.h"

namespace ropeline {
namespace dlpack {

// The numbers of dlpack.h, which are its ABI.
enum Code : int { kInt = 0, kFloat = 2, kBfloat = 4, kFloat8_e4m3fn = 10 };
enum DeviceType : int { kCpu = 1, kCuda = 2 };

inline DType dtype(int code, int bits, int lanes) {
  if (lanes == 1) {
    if (code == kFloat && bits == 32) return DType::fp32;
    if (code == kFloat && bits == 16) return DType::fp16;
    if (code == kBfloat && bits == 16) return DType::bf16;
    if (code == kFloat8_e4m3fn && bits == 8) return DType::fp8_e4m3;
    if (code == kInt && bits == 8) return DType::int8;
    if (code == kInt && bits == 32) return DType::int32;
    if (code == kInt && bits == 64) return DType::int64;
  }
  throw Error(ErrorKind::invalid_argument, "dlpack: dtype code " + std::to_string(code) + ", " + std::to_string(bits) +
                                               " bits, " + std::to_string(lanes) + " lanes has no counterpart here");
}

inline int code(DType type) {
  switch (type) {
    case DType::fp32:
    case DType::fp16: return kFloat;
    case DType::bf16: return kBfloat;
    case DType::fp8_e4m3: return kFloat8_e4m3fn;
    default: return kInt;
  }
}

}  // namespace dlpack

/// A view of the same memory. Shape and strides are copied; null strides mean row-major, as DLPack says.
/// Throws Error{invalid_argument} for a rank above 4, a dtype or a device that Ropeline does not know.
template <class DLTensor>
TensorView from_dlpack(const DLTensor& t) {
  if (t.ndim < 0 || t.ndim > TensorView::max_rank)
    throw Error(ErrorKind::invalid_argument, "dlpack: rank " + std::to_string(t.ndim) + " is not 0 to 4");
  TensorView view(static_cast<const char*>(t.data) + t.byte_offset,
                  dlpack::dtype(t.dtype.code, t.dtype.bits, t.dtype.lanes), {});
  view.rank = t.ndim;
  std::int64_t dense = 1;
  for (int i = t.ndim - 1; i >= 0; --i) {
    view.shape[i] = t.shape[i];
    view.strides[i] = t.strides ? t.strides[i] : dense;
    dense *= t.shape[i];
  }
  const int device = static_cast<int>(t.device.device_type);
  if (device != dlpack::kCpu && device != dlpack::kCuda)
    throw Error(ErrorKind::invalid_argument,
                "dlpack: device type " + std::to_string(device) + " is neither CPU nor CUDA");
  view.device = device == dlpack::kCpu ? Device::cpu() : Device::cuda(t.device.device_id);
  return view;
}

/// The caller's DLTensor for a view. It points into `view` for shape and strides, so `view` must outlive it.
template <class DLTensor>
DLTensor to_dlpack(TensorView& view) {
  DLTensor t{};
  t.data = view.data;
  t.ndim = view.rank;
  t.shape = view.shape.data();
  t.strides = view.strides.data();
  t.dtype.code = static_cast<decltype(t.dtype.code)>(dlpack::code(view.dtype));
  t.dtype.bits = static_cast<decltype(t.dtype.bits)>(8 * size_of(view.dtype));
  t.dtype.lanes = 1;
  t.device.device_type =
      static_cast<decltype(t.device.device_type)>(view.device.kind == Device::Kind::cpu ? dlpack::kCpu : dlpack::kCuda);
  t.device.device_id = view.device.index;
  return t;
}

}  // namespace ropeline
