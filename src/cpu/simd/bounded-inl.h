// bf16 with values of ordinary size, where rounding takes three instructions instead of four, and two more than the
// product where a product is rounded.
//
// Veltkamp's split: with p = fl(65537 x) and d = fl(p - x), p - d is x rounded to 8 bits, ties to even as for bf16 (at
// a tie both roundings have an even candidate; checked for all 2^23 mantissas by tests/cpu). It is wrong where p
// overflows and where bf16 is subnormal, so a row group takes this way only when its values prove to be between.

#if defined(ROPELINE_CPU_SIMD_BOUNDED_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_BOUNDED_INL_H_
#undef ROPELINE_CPU_SIMD_BOUNDED_INL_H_
#else
#define ROPELINE_CPU_SIMD_BOUNDED_INL_H_
#endif

#include "cpu/simd/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// bf16 rows whose x * inv, weights, cos and sin are each 0 or at least kSmallest in magnitude, weights, cos and sin at
/// most kLargest. Then every product of the three is 0 or within 2^-120 and 2^100.
struct BoundedBf16 : Bf16 {};

inline constexpr float kSmallest = 0x1p-40f, kLargest = 0x1p40f;
inline constexpr float kSplit = 65537.0f;

template <>
struct Elements<BoundedBf16> : Elements<Bf16> {
  static HWY_INLINE Floats round(Floats x) {
    const Floats p = hn::Mul(x, hn::Set(F(), kSplit));
    return hn::Sub(p, hn::Sub(p, x));
  }
};

template <>
struct Blocks<BoundedBf16> : Blocks<Bf16> {};

/// R(a * c). `split_c` is kSplit * c.
template <class E>
HWY_INLINE Floats rounded_product(Floats a, Floats c, Floats /*split_c*/) {
  return Elements<E>::round(hn::Mul(a, c));
}

/// For bf16 a and c: a * c has 16 bits, so it needs no rounding of its own, and neither does kSplit * c.
template <>
HWY_INLINE Floats rounded_product<BoundedBf16>(Floats a, Floats c, Floats split_c) {
  const Floats p = hn::Mul(a, split_c);
  return hn::Sub(p, hn::NegMulAdd(a, c, p));
}

/// True if each of the values is 0 or between kSmallest and kLargest. False if one is NaN.
inline bool are_bounded(const float* values, int count) {
  bool result = true;
  for (int i = 0; i < count; i += lanes()) {
    const Floats x = hn::Abs(hn::LoadU(F(), values + i));
    const auto ordinary = hn::And(hn::Ge(x, hn::Set(F(), kSmallest)), hn::Le(x, hn::Set(F(), kLargest)));
    const auto beyond = hn::Not(hn::FirstN(F(), static_cast<std::size_t>(count - i)));
    result = result && hn::AllTrue(F(), hn::Or(hn::Or(ordinary, hn::Eq(x, hn::Zero(F()))), beyond));
  }
  return result;
}

/// The smallest magnitude among the elements that are not 0; NaN if there is none. Rows are whole blocks.
inline float smallest_magnitude(const std::uint16_t* in, std::int64_t stride, int rows, int head_dim) {
  const hn::RepartitionToNarrow<U> d16;
  const auto one = hn::Set(d16, 1);
  auto smallest = hn::Set(d16, 0xffff);
  for (int r = 0; r < rows; ++r, in += stride) {
    for (int i = 0; i < head_dim; i += block_size()) {
      const auto words = hn::LoadU(d16, in + i);
      smallest = hn::Min(smallest, hn::Sub(hn::Add(words, words), one));  // without the sign; 0 becomes the largest
    }
  }
  const std::uint32_t doubled = hn::GetLane(hn::MinOfLanes(d16, smallest)) + 1u;
  return bf16_to_fp32(static_cast<std::uint16_t>(doubled >> 1));
}

/// The smallest of positive values; 0 if one is NaN, which a minimum may lose together with what it has seen.
inline float smallest_of(const float* values, int count) {
  const Floats infinity = hn::Inf(F());
  Floats smallest = infinity;
  for (int i = 0; i < count; i += lanes()) {
    const auto first = hn::FirstN(F(), static_cast<std::size_t>(count - i));
    const Floats x = hn::IfThenElse(first, hn::LoadU(F(), values + i), infinity);
    smallest = hn::Min(smallest, hn::IfThenZeroElse(hn::IsNaN(x), x));
  }
  return hn::GetLane(hn::MinOfLanes(F(), smallest));
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
