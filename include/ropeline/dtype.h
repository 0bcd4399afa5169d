#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ropeline {

/// Element types of tensors. bf16 and fp16 are stored as 16-bit patterns.
enum class DType : std::uint8_t { fp32, fp16, bf16, fp8_e4m3, int8, int32, int64 };

/// Bytes of one element.
constexpr std::size_t size_of(DType type) noexcept {
  switch (type) {
    case DType::fp8_e4m3:
    case DType::int8: return 1;
    case DType::fp16:
    case DType::bf16: return 2;
    case DType::fp32:
    case DType::int32: return 4;
    case DType::int64: return 8;
  }
  return 0;
}

/// The name as it is printed and parsed: "fp32", "bf16", "int64" ...
constexpr std::string_view name_of(DType type) noexcept {
  switch (type) {
    case DType::fp32: return "fp32";
    case DType::fp16: return "fp16";
    case DType::bf16: return "bf16";
    case DType::fp8_e4m3: return "fp8_e4m3";
    case DType::int8: return "int8";
    case DType::int32: return "int32";
    case DType::int64: return "int64";
  }
  return "?";
}

}  // namespace ropeline
