// Groups of head rows, for shapes whose halves, slices and rests are whole blocks: sum the group's squares, take all
// roots at once, then go through the row block by block with the block's weights, cos and sin in registers.

#if defined(ROPELINE_CPU_SIMD_GROUPS_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_GROUPS_INL_H_
#undef ROPELINE_CPU_SIMD_GROUPS_INL_H_
#else
#define ROPELINE_CPU_SIMD_GROUPS_INL_H_
#endif

#include <algorithm>

#include "cpu/simd/bounded-inl.h"
#include "cpu/simd/tree-inl.h"
#include "cpu/token.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

enum class NormForm { absent, plain, end, inner };
enum class RopeForm { absent, end, products };

/// What a group of rows is done with: views only.
template <class Raw>
struct RowGroup {
  const Raw* in;
  Raw* out;
  std::int64_t in_stride, out_stride;
  int rows;
  const float* inv;     // one a row
  const float* weight;  // arranged, [D]
  const float* cos;     // NeoX: arranged; interleaved: as they are
  const float* sin;
};

/// Goes down a column of the group. A copy of the group's fields, since stores of elements may alias anything.
template <class Raw>
struct RowWalk {
  RowWalk(const RowGroup<Raw>& g, int at)
      : in(g.in + at), out(g.out + at), inv(g.inv), in_stride(g.in_stride), out_stride(g.out_stride) {}
  HWY_INLINE void next() { in += in_stride, out += out_stride, ++inv; }

  const Raw* in;
  Raw* out;
  const float* inv;
  std::int64_t in_stride, out_stride;
};

template <class E, NormForm form>
HWY_INLINE Floats normalise_lanes(Floats x, Floats inv, Floats weight) {
  using R = Elements<E>;
  if constexpr (form == NormForm::absent) return x;
  const Floats scaled = hn::Mul(x, inv);
  if constexpr (form == NormForm::plain) return hn::Mul(scaled, weight);
  if constexpr (form == NormForm::end) return R::round(hn::Mul(scaled, weight));
  return R::round(hn::Mul(R::round(scaled), weight));
}

/// The products of `products` round each by itself.
template <class E, RopeForm form>
HWY_INLINE void rotate_lanes(Floats& a, Floats& b, Floats cos, Floats sin, Floats split_cos, Floats split_sin) {
  if constexpr (form == RopeForm::absent) return;
  const Floats x = a, y = b;
  if constexpr (form == RopeForm::products) {
    a = hn::Sub(rounded_product<E>(x, cos, split_cos), rounded_product<E>(y, sin, split_sin));
    b = hn::Add(rounded_product<E>(y, cos, split_cos), rounded_product<E>(x, sin, split_sin));
  } else {
    a = hn::MulSub(x, cos, hn::Mul(y, sin));
    b = hn::MulAdd(y, cos, hn::Mul(x, sin));
  }
}

/// Two blocks whose lanes are rotary partners, in every row of the group.
template <class E, NormForm norm, RopeForm rope>
void run_neox_pair(const RowGroup<typename E::Raw>& g, BlockPair at, int angle) {
  const int n = lanes();
  const auto load = [](const float* p) HWY_ATTR { return hn::Load(F(), p); };
  const auto load_weight = [&](int i) HWY_ATTR { return hn::LoadU(F(), g.weight + i); };
  const Floats cos_even = load(g.cos + angle), cos_odd = load(g.cos + angle + n);
  const Floats sin_even = load(g.sin + angle), sin_odd = load(g.sin + angle + n);
  const Floats split = hn::Set(F(), kSplit);
  const Floats split_cos_even = hn::Mul(cos_even, split), split_cos_odd = hn::Mul(cos_odd, split);
  const Floats split_sin_even = hn::Mul(sin_even, split), split_sin_odd = hn::Mul(sin_odd, split);
  const Floats w_lo_even = load_weight(at.lo), w_lo_odd = load_weight(at.lo + n);
  const Floats w_hi_even = load_weight(at.hi), w_hi_odd = load_weight(at.hi + n);
  RowWalk<typename E::Raw> row(g, at.lo);
  const std::int64_t to_hi = at.hi - at.lo;
  for (int rows = g.rows; rows > 0; --rows, row.next()) {
    const Floats inv = hn::Set(F(), *row.inv);
    Floats lo_even, lo_odd, hi_even, hi_odd;
    Blocks<E>::load(row.in, lo_even, lo_odd);
    Blocks<E>::load(row.in + to_hi, hi_even, hi_odd);
    lo_even = normalise_lanes<E, norm>(lo_even, inv, w_lo_even);
    hi_even = normalise_lanes<E, norm>(hi_even, inv, w_hi_even);
    rotate_lanes<E, rope>(lo_even, hi_even, cos_even, sin_even, split_cos_even, split_sin_even);
    lo_odd = normalise_lanes<E, norm>(lo_odd, inv, w_lo_odd);
    hi_odd = normalise_lanes<E, norm>(hi_odd, inv, w_hi_odd);
    rotate_lanes<E, rope>(lo_odd, hi_odd, cos_odd, sin_odd, split_cos_odd, split_sin_odd);
    Blocks<E>::store(lo_even, lo_odd, row.out);
    Blocks<E>::store(hi_even, hi_odd, row.out + to_hi);
  }
}

/// One block in every row of the group; its neighbours are rotary partners unless `rope` is absent.
template <class E, NormForm norm, RopeForm rope>
void run_block(const RowGroup<typename E::Raw>& g, int at, int angle) {
  const int n = lanes();
  const Floats cos = hn::LoadU(F(), g.cos + angle), sin = hn::LoadU(F(), g.sin + angle);
  const Floats split_cos = hn::Mul(cos, hn::Set(F(), kSplit)), split_sin = hn::Mul(sin, hn::Set(F(), kSplit));
  const Floats w_even = hn::LoadU(F(), g.weight + at), w_odd = hn::LoadU(F(), g.weight + at + n);
  RowWalk<typename E::Raw> row(g, at);
  for (int rows = g.rows; rows > 0; --rows, row.next()) {
    const Floats inv = hn::Set(F(), *row.inv);
    Floats even, odd;
    Blocks<E>::load(row.in, even, odd);
    even = normalise_lanes<E, norm>(even, inv, w_even);
    odd = normalise_lanes<E, norm>(odd, inv, w_odd);
    rotate_lanes<E, rope>(even, odd, cos, sin, split_cos, split_sin);
    Blocks<E>::store(even, odd, row.out);
  }
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
