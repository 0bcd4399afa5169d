#pragma once

// The three activation types, as scalars: how they are stored, widened, rounded and narrowed.

#include "kernels/shared/numbers.h"
#include "ropeline/dtype.h"

namespace ropeline::cpu {

struct Fp32 {
  using Raw = float;
  static float widen(Raw x) { return x; }
  static Raw narrow(float x) { return x; }
  static constexpr float nan() { return __builtin_nanf(""); }
};

struct Fp16 {
  using Raw = std::uint16_t;
  static float widen(Raw x) { return fp16_to_fp32(x); }
  static Raw narrow(float x) { return fp32_to_fp16(x); }
  static constexpr Raw nan() { return 0x7e00; }
};

struct Bf16 {
  using Raw = std::uint16_t;
  static float widen(Raw x) { return bf16_to_fp32(x); }
  static Raw narrow(float x) { return fp32_to_bf16(x); }
  static constexpr Raw nan() { return 0x7fc0; }
};

/// Calls f with the element type that a dtype names. The spec's check admits no other dtype.
template <class F>
decltype(auto) with_element(DType type, F&& f) {
  if (type == DType::bf16) return f(Bf16{});
  if (type == DType::fp16) return f(Fp16{});
  return f(Fp32{});
}

}  // namespace ropeline::cpu
