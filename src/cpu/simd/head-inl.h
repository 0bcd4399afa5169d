// One head of any shape, in fp32 scratch: the path that runs whatever the row groups (groups-inl.h) do not.

#if defined(ROPELINE_CPU_SIMD_HEAD_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_HEAD_INL_H_
#undef ROPELINE_CPU_SIMD_HEAD_INL_H_
#else
#define ROPELINE_CPU_SIMD_HEAD_INL_H_
#endif

#include <algorithm>
#include <cmath>

#include "cpu/simd/vectors-inl.h"
#include "cpu/token.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// The complete binary tree over the neighbours of p[0 .. count), padded with +0. Reads and writes whole vectors.
inline float tree_sum(float* p, int count) {
  const int n = lanes();
  int padded = 1;
  while (padded < count) padded *= 2;
  for (int i = count; i < std::max(padded, 2 * n); i += n) hn::StoreU(hn::Zero(F()), F(), p + i);
  for (; padded > 1; padded /= 2) {
    for (int i = 0; i < padded / 2; i += n) {
      Floats even, odd;
      hn::LoadInterleaved2(F(), p + 2 * i, even, odd);
      hn::StoreU(hn::Add(even, odd), F(), p + i);
    }
  }
  return p[0];
}

inline float inverse_root(const NormLoop& norm, const float* x) {
  alignas(64) float p[2 * kMaxPairs + 2 * kSlack];
  int count = 0;
  for (const PairRun& run : norm.runs) {
    for (int i = 0; i < run.count; i += lanes()) {  // what the last vector writes too much, the next run replaces
      const Floats lo = hn::LoadU(F(), x + run.lo + i), hi = hn::LoadU(F(), x + run.hi + i);
      hn::StoreU(hn::MulAdd(hi, hi, hn::Mul(lo, lo)), F(), p + count + i);
    }
    count += run.count;
  }
  const double square = std::fma(tree_sum(p, count), norm.unit, norm.eps);
  return static_cast<float>(1.0 / std::sqrt(square));
}

template <class E, NormRounding rounding>
HWY_INLINE Floats normalised(Floats x, Floats inv, Floats weight) {
  const Floats scaled = hn::Mul(x, inv);
  if constexpr (rounding == NormRounding::none) return hn::Mul(scaled, weight);
  if constexpr (rounding == NormRounding::end) return Elements<E>::round(hn::Mul(scaled, weight));
  return Elements<E>::round(hn::Mul(weight, Elements<E>::round(scaled)));
}

template <class E, NormRounding rounding>
void normalise_by(float inv, const float* weight, int head_dim, float* x) {
  for (int i = 0; i < head_dim; i += lanes()) {
    const Floats y = normalised<E, rounding>(hn::LoadU(F(), x + i), hn::Set(F(), inv), hn::LoadU(F(), weight + i));
    hn::StoreU(y, F(), x + i);
  }
}

template <class E>
void normalise(const NormLoop& norm, const float* weight, int head_dim, float* x) {
  const float inv = inverse_root(norm, x);
  switch (norm.rounding) {
    case NormRounding::none: return normalise_by<E, NormRounding::none>(inv, weight, head_dim, x);
    case NormRounding::end: return normalise_by<E, NormRounding::end>(inv, weight, head_dim, x);
    case NormRounding::inner: return normalise_by<E, NormRounding::inner>(inv, weight, head_dim, x);
    case NormRounding::factor: {
      const float rounded = hn::GetLane(Elements<E>::round(hn::Set(F(), inv)));
      return normalise_by<E, NormRounding::inner>(rounded, weight, head_dim, x);
    }
  }
}

/// The pair (a, b) turned by (cos, sin): a' and b' in its place.
template <class E, bool products>
HWY_INLINE void rotate_pairs(Floats& a, Floats& b, Floats cos, Floats sin, Floats second_cos, Floats second_sin) {
  using R = Elements<E>;
  const Floats x = a, y = b;
  if constexpr (products) {
    a = hn::Sub(R::round(hn::Mul(x, cos)), R::round(hn::Mul(y, sin)));
    b = hn::Add(R::round(hn::Mul(y, second_cos)), R::round(hn::Mul(x, second_sin)));
  } else {
    a = hn::MulAdd(x, cos, hn::Neg(hn::Mul(y, sin)));
    b = hn::MulAdd(y, second_cos, hn::Mul(x, second_sin));
  }
}

/// cos and sin of the first and of the second elements.
struct PairAngles {
  const float *cos, *sin, *second_cos, *second_sin;
};

/// Turns the pairs of `slice`, which is written whole; the vectors of the last pairs are cut to what there is.
template <class E, bool products>
void rotate_slice(Style style, int pairs, const PairAngles& t, float* slice) {
  alignas(64) float first[kMaxPairs + kSlack], second[kMaxPairs + kSlack];
  for (int i = 0; i < pairs; i += lanes()) {
    Floats a, b;
    if (style == Style::neox) {
      a = hn::LoadU(F(), slice + i), b = hn::LoadU(F(), slice + pairs + i);
    } else {
      hn::LoadInterleaved2(F(), slice + 2 * i, a, b);
    }
    rotate_pairs<E, products>(a, b, hn::LoadU(F(), t.cos + i), hn::LoadU(F(), t.sin + i),
                              hn::LoadU(F(), t.second_cos + i), hn::LoadU(F(), t.second_sin + i));
    hn::StoreU(a, F(), first + i);
    hn::StoreU(b, F(), second + i);
  }
  if (style == Style::neox) {
    std::copy_n(first, pairs, slice);
    std::copy_n(second, pairs, slice + pairs);
  } else {
    for (int i = 0; i < pairs; ++i) slice[2 * i] = first[i], slice[2 * i + 1] = second[i];
  }
}

template <class E>
void rotate(const RopeLoop& rope, bool split, const TokenAngles& angles, float* slice) {
  const PairAngles t{angles.cos, angles.sin, split ? angles.second_cos : angles.cos,
                     split ? angles.second_sin : angles.sin};
  if (rope.products) return rotate_slice<E, true>(rope.style, rope.pairs, t, slice);
  rotate_slice<E, false>(rope.style, rope.pairs, t, slice);
}

/// One head from `in` to `out`. Elements that no step touches keep their bits, those of a signalling NaN too.
template <class E>
void run_head(const Lowered& op, const StreamLoop& stream, const float* weight, const TokenAngles& angles,
              const typename E::Raw* in, typename E::Raw* out) {
  alignas(64) float x[kMaxDim + kSlack];
  const int begin = stream.has_norm ? 0 : stream.rope.offset;
  const int end = stream.has_norm ? op.head_dim : stream.rope.offset + 2 * stream.rope.pairs;
  widen<E>(in + begin, end - begin, x + begin);
  if (stream.has_norm) normalise<E>(stream.norm, weight, op.head_dim, x);
  if (stream.has_rope) {
    const bool split = op.angles[static_cast<std::size_t>(stream.rope.angles)].split();
    rotate<E>(stream.rope, split, angles, x + stream.rope.offset);
  }
  copy_elements(in, out, begin);
  narrow<E>(x + begin, end - begin, out + begin);
  copy_elements(in + end, out + end, op.head_dim - end);
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
