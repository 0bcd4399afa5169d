// Sums of many rows at once: the contract's tree over neighbours, merged across rows so that no lane is idle.

#if defined(ROPELINE_CPU_SIMD_TREE_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_TREE_INL_H_
#undef ROPELINE_CPU_SIMD_TREE_INL_H_
#else
#define ROPELINE_CPU_SIMD_TREE_INL_H_
#endif

#include "cpu/simd/blocks-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// Heads that are summed together. Their roots take some two hundred cycles from the last load to the first result, so
/// a group is all heads of a token, but for models that have more than this.
inline constexpr int kGroupRows = 128;

/// One level of the tree over the neighbours of `lo`, then those of `hi`.
HWY_INLINE Floats add_neighbours(Floats hi, Floats lo) {
  return hn::Add(hn::ConcatEven(F(), hi, lo), hn::ConcatOdd(F(), hi, lo));
}

/// Two blocks of a row whose elements are added in pairs.
struct BlockPair {
  int lo, hi;
};

/// The squares of a block pair, first level of the tree included.
template <class E>
HWY_INLINE Floats pair_squares(const typename E::Raw* row, BlockPair at) {
  Floats lo_even, lo_odd, hi_even, hi_odd;
  Blocks<E>::load(row + at.lo, lo_even, lo_odd);
  Blocks<E>::load(row + at.hi, hi_even, hi_odd);
  const Floats even = hn::MulAdd(hi_even, hi_even, hn::Mul(lo_even, lo_even));
  const Floats odd = hn::MulAdd(hi_odd, hi_odd, hn::Mul(lo_odd, lo_odd));
  return hn::Add(even, odd);
}

/// One vector of partial sums from up to `width` block pairs (a power of two), those beyond `count` being +0.
template <class E, int width>
HWY_INLINE Floats row_squares(const typename E::Raw* row, const BlockPair* pairs, int count) {
  if constexpr (width == 1) {
    return count > 0 ? pair_squares<E>(row, pairs[0]) : hn::Zero(F());
  } else {
    constexpr int half = width / 2;
    return add_neighbours(row_squares<E, half>(row, pairs + half, count - half),
                          row_squares<E, half>(row, pairs, count));
  }
}

/// One vector for each row, then the rows merged two by two until `lanes` rows share a vector: sums[r] is row r's.
inline void merge_rows(int rows, float* partial, float* sums) {
  const int n = lanes();
  int vectors = rows;
  for (int level = 1; level < n; level *= 2) {
    const int merged = (vectors + 1) / 2;
    for (int i = 0; i < merged; ++i) {
      const Floats lo = hn::Load(F(), partial + 2 * i * n);
      const Floats hi = 2 * i + 1 < vectors ? hn::Load(F(), partial + (2 * i + 1) * n) : lo;
      hn::Store(add_neighbours(hi, lo), F(), partial + i * n);
    }
    vectors = merged;
  }
  for (int i = 0; i < vectors; ++i) hn::StoreU(hn::Load(F(), partial + i * n), F(), sums + i * n);
}

/// 1/sqrt(fma(sum, unit, eps)) of each row, computed in double and rounded once.
inline void inverse_roots(int rows, float unit, float eps, float* sums) {
  const hn::ScalableTag<double> d64;
  const hn::Rebind<float, decltype(d64)> half;
  const int n = static_cast<int>(hn::Lanes(d64));
  for (int i = 0; i < rows; i += n) {
    const auto square = hn::MulAdd(hn::LoadU(half, sums + i), hn::Set(half, unit), hn::Set(half, eps));
    const auto root = hn::Sqrt(hn::PromoteTo(d64, square));
    hn::StoreU(hn::DemoteTo(half, hn::Div(hn::Set(d64, 1.0), root)), half, sums + i);
  }
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
