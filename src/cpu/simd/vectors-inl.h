// fp32 vectors out of, and into, rows of each element type: exact widening, R, and narrowing by round to nearest even.

#if defined(ROPELINE_CPU_SIMD_VECTORS_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_VECTORS_INL_H_
#undef ROPELINE_CPU_SIMD_VECTORS_INL_H_
#else
#define ROPELINE_CPU_SIMD_VECTORS_INL_H_
#endif

#include <cstring>

#include "cpu/element.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using U = hn::RebindToUnsigned<F>;
using I = hn::RebindToSigned<F>;
using Floats = hn::Vec<F>;
using Words = hn::Vec<U>;

inline constexpr int kMaxLanes = static_cast<int>(hn::MaxLanes(F()));

HWY_INLINE int lanes() { return static_cast<int>(hn::Lanes(F())); }
HWY_INLINE Words bits(Floats x) { return hn::BitCast(U(), x); }
HWY_INLINE Floats floats(Words u) { return hn::BitCast(F(), u); }

/// x + 0x7fff, and one more if the upper half is odd: the upper half is then x rounded to nearest even. Setting bit 0
/// instead of adding the oddness is enough, since it counts only at a tie. A NaN stays one as long as its lower half is
/// zero, so NaNs of fp32 weights and tables are made canonical before they meet an activation.
HWY_INLINE Words bf16_rounded_up(Floats x) {
  const Words u = bits(x);
  const Words sticky = hn::OrAnd(u, hn::ShiftRight<16>(u), hn::Set(U(), 1));
  return hn::Add(sticky, hn::Set(U(), 0x7fff));
}

template <class E>
struct Elements;

template <>
struct Elements<Fp32> {
  static HWY_INLINE Floats load(const float* p) { return hn::LoadU(F(), p); }
  static HWY_INLINE void store(Floats x, float* p) { hn::StoreU(x, F(), p); }
  static HWY_INLINE Floats round(Floats x) { return x; }
};

template <>
struct Elements<Fp16> {
  using H = hn::Rebind<hwy::float16_t, F>;
  static HWY_INLINE Floats load(const std::uint16_t* p) {
    return hn::PromoteTo(F(), hn::LoadU(H(), reinterpret_cast<const hwy::float16_t*>(p)));
  }
  static HWY_INLINE void store(Floats x, std::uint16_t* p) {
    hn::StoreU(hn::DemoteTo(H(), x), H(), reinterpret_cast<hwy::float16_t*>(p));
  }
  static HWY_INLINE Floats round(Floats x) { return hn::PromoteTo(F(), hn::DemoteTo(H(), x)); }
};

template <>
struct Elements<Bf16> {
  using H = hn::Rebind<std::uint16_t, F>;
  static HWY_INLINE Floats load(const std::uint16_t* p) {
    return floats(hn::ShiftLeft<16>(hn::PromoteTo(U(), hn::LoadU(H(), p))));
  }
  static HWY_INLINE void store(Floats x, std::uint16_t* p) {
    const Words narrow = hn::ShiftRight<16>(bf16_rounded_up(x));
    hn::StoreU(hn::DemoteTo(H(), hn::BitCast(I(), narrow)), H(), p);
  }
  static HWY_INLINE Floats round(Floats x) { return floats(hn::And(bf16_rounded_up(x), hn::Set(U(), 0xffff0000u))); }
};

/// Rows may end at the end of a page, so the last few elements pass through a buffer.
template <class E>
HWY_INLINE Floats load_first(const typename E::Raw* p, int count) {
  typename E::Raw buffer[kMaxLanes] = {};
  std::memcpy(buffer, p, static_cast<std::size_t>(count) * sizeof buffer[0]);
  return Elements<E>::load(buffer);
}

template <class E>
HWY_INLINE void store_first(Floats x, typename E::Raw* p, int count) {
  typename E::Raw buffer[kMaxLanes];
  Elements<E>::store(x, buffer);
  std::memcpy(p, buffer, static_cast<std::size_t>(count) * sizeof buffer[0]);
}

/// count elements to fp32. Writes whole vectors: `out` has kSlack floats to spare.
template <class E>
void widen(const typename E::Raw* in, int count, float* out) {
  const int n = lanes();
  int i = 0;
  for (; i + n <= count; i += n) hn::StoreU(Elements<E>::load(in + i), F(), out + i);
  if (i < count) hn::StoreU(load_first<E>(in + i, count - i), F(), out + i);
}

template <class E>
void narrow(const float* in, int count, typename E::Raw* out) {
  const int n = lanes();
  int i = 0;
  for (; i + n <= count; i += n) Elements<E>::store(hn::LoadU(F(), in + i), out + i);
  if (i < count) store_first<E>(hn::LoadU(F(), in + i), out + i, count - i);
}

HWY_INLINE Floats canonical_nan(Floats x) { return hn::IfThenElse(hn::IsNaN(x), hn::Set(F(), __builtin_nanf("")), x); }

/// As `widen`, from a parameter tensor (weights, tables): starts at element `first`, NaNs made canonical.
inline void widen_parameter(DType type, const void* tensor, std::int64_t first, int count, float* out) {
  with_element(type, [&](auto e) HWY_ATTR {
    using E = decltype(e);
    widen<E>(static_cast<const typename E::Raw*>(tensor) + first, count, out);
  });
  for (int i = 0; i < count; i += lanes()) hn::StoreU(canonical_nan(hn::LoadU(F(), out + i)), F(), out + i);
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
