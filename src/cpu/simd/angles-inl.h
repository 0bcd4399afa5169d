// cos and sin of one token: from the phase (docs/numerics.md, angles; kernels/shared/phase.h in vectors) or from a
// table.

#if defined(ROPELINE_CPU_SIMD_ANGLES_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_ANGLES_INL_H_
#undef ROPELINE_CPU_SIMD_ANGLES_INL_H_
#else
#define ROPELINE_CPU_SIMD_ANGLES_INL_H_
#endif

#include "cpu/simd/vectors-inl.h"
#include "cpu/token.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// The upper 32 bits of the signed product of each lane.
HWY_INLINE hn::Vec<I> multiply_high(hn::Vec<I> a, hn::Vec<I> b) {
  using D64 = hn::RepartitionToWide<U>;
  const auto odd_lanes = [](hn::Vec<I> x)
                             HWY_ATTR { return hn::BitCast(I(), hn::ShiftRight<32>(hn::BitCast(D64(), x))); };
  const auto even = hn::BitCast(D64(), hn::MulEven(a, b));
  const auto odd = hn::MulEven(odd_lanes(a), odd_lanes(b));
  return hn::OddEven(hn::BitCast(I(), odd), hn::BitCast(I(), hn::ShiftRight<32>(even)));
}

HWY_INLINE Words phase_of(hn::Vec<I> position, Words hi, hn::Vec<I> lo) {
  return hn::Add(hn::Mul(hn::BitCast(U(), position), hi), hn::BitCast(U(), multiply_high(position, lo)));
}

HWY_INLINE void sin_cos(Words u, Floats& sin, Floats& cos) {
  constexpr SinCosPolynomial p;
  const auto c = [](float value) HWY_ATTR { return hn::Set(F(), value); };
  const Floats x = hn::Mul(hn::ConvertTo(F(), hn::BitCast(I(), hn::ShiftLeft<2>(u))), c(0x1p-34f));
  const Floats z = hn::Mul(x, x);
  const Floats odd = hn::MulAdd(hn::MulAdd(hn::MulAdd(c(p.s7), z, c(p.s5)), z, c(p.s3)), z, c(p.s1));
  const Floats s = hn::Mul(x, odd);
  const Floats e = hn::MulAdd(hn::MulAdd(hn::MulAdd(c(p.c6), z, c(p.c4)), z, c(p.c2)), z, c(1.0f));
  const Words v = hn::Add(u, hn::Set(U(), 0x60000000u));
  const auto straight = hn::RebindMask(F(), hn::TestBit(v, hn::Set(U(), 0x40000000u)));
  const Words sign = hn::Set(U(), 0x80000000u);
  cos = floats(hn::Xor(bits(hn::IfThenElse(straight, e, s)), hn::And(v, sign)));
  sin = floats(hn::Or(hn::AndNot(sign, bits(hn::IfThenElse(straight, s, e))), hn::And(u, sign)));
}

inline void angles_from_phase(const AngleLoop& loop, std::int32_t position, TokenAngles& out) {
  const Floats factor = hn::Set(F(), loop.factor);
  for (int i = 0; i < loop.pairs; i += lanes()) {
    Floats sin, cos;
    sin_cos(phase_of(hn::Set(I(), position), hn::LoadU(U(), loop.turns_hi.data() + i),
                     hn::LoadU(I(), loop.turns_lo.data() + i)),
            sin, cos);
    hn::StoreU(hn::Mul(cos, factor), F(), out.cos + i);
    hn::StoreU(hn::Mul(sin, factor), F(), out.sin + i);
  }
}

/// One row of cos (or of sin) into the values of the first and of the second elements of the pairs.
inline void read_table_row(const AngleLoop& loop, DType type, const void* table, std::int64_t row, float* first,
                           float* second) {
  const int n = loop.pairs;
  if (loop.read == TableRead::consecutive) return widen_parameter(type, table, row, n, first);
  if (loop.read == TableRead::split_halves) {
    widen_parameter(type, table, row, n, first);
    return widen_parameter(type, table, row + n, n, second);
  }
  alignas(64) float both[2 * kMaxPairs + 2 * kSlack];
  widen_parameter(type, table, row, 2 * n, both);
  for (int i = 0; i < n; i += lanes()) {
    Floats even, odd;
    hn::LoadInterleaved2(F(), both + 2 * i, even, odd);
    hn::StoreU(even, F(), first + i);
    hn::StoreU(odd, F(), second + i);
  }
}

template <class E>
void finish_angles(const AngleLoop& loop, float* cos, float* sin) {
  if (!loop.rounded && !loop.inverse) return;
  for (int i = 0; i < loop.pairs; i += lanes()) {
    Floats c = hn::LoadU(F(), cos + i), s = hn::LoadU(F(), sin + i);
    if (loop.rounded) c = Elements<E>::round(c), s = Elements<E>::round(s);
    if (loop.inverse) s = hn::Neg(s);
    hn::StoreU(c, F(), cos + i);
    hn::StoreU(s, F(), sin + i);
  }
}

/// False when the token's position is illegal.
template <class E>
bool fill_angles(const Lowered& op, const AngleLoop& loop, const QkNormRopeParams& params, TokenIndex at,
                 TokenAngles& out) {
  if (loop.source == AngleSource::phase) {
    const std::int64_t position = position_of(op, params, at);
    if (!is_int32(position)) return false;
    angles_from_phase(loop, static_cast<std::int32_t>(position), out);
  } else {
    const std::int64_t row = table_row_of(op, loop, params, at);
    if (row == kNoRow) return false;
    read_table_row(loop, op.table, params.cos, row, out.cos, out.second_cos);
    read_table_row(loop, op.table, params.sin, row, out.sin, out.second_sin);
  }
  finish_angles<E>(loop, out.cos, out.sin);
  if (loop.split()) finish_angles<E>(loop, out.second_cos, out.second_sin);
  return true;
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
