#include "reference/element.h"

#include "kernels/shared/numbers.h"

namespace ropeline::reference {

float round_to(DType type, float x) {
  if (type == DType::bf16) return bf16_to_fp32(fp32_to_bf16(x));
  if (type == DType::fp16) return fp16_to_fp32(fp32_to_fp16(x));
  return x;
}

float load(const TensorView& view, std::int64_t offset) {
  if (view.dtype == DType::bf16) return bf16_to_fp32(static_cast<const std::uint16_t*>(view.data)[offset]);
  if (view.dtype == DType::fp16) return fp16_to_fp32(static_cast<const std::uint16_t*>(view.data)[offset]);
  return static_cast<const float*>(view.data)[offset];
}

void store(const TensorView& view, std::int64_t offset, float x) {
  if (view.dtype == DType::bf16)
    static_cast<std::uint16_t*>(view.data)[offset] = fp32_to_bf16(x);
  else if (view.dtype == DType::fp16)
    static_cast<std::uint16_t*>(view.data)[offset] = fp32_to_fp16(x);
  else
    static_cast<float*>(view.data)[offset] = x;
}

std::int64_t load_integer(const TensorView& view, std::int64_t offset) {
  if (view.dtype == DType::int32) return static_cast<const std::int32_t*>(view.data)[offset];
  return static_cast<const std::int64_t*>(view.data)[offset];
}

}  // namespace ropeline::reference
