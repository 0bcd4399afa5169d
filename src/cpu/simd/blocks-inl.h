// A block: two vectors' worth of neighbouring elements of a row, held as its even and its odd elements in fp32. For
// bf16 that costs a shift and a mask, and no lane ever moves: weights, cos and sin are arranged the same way, a rotary
// pair is either the same lane of two blocks (NeoX) or the two vectors of one block (interleaved).

#if defined(ROPELINE_CPU_SIMD_BLOCKS_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_BLOCKS_INL_H_
#undef ROPELINE_CPU_SIMD_BLOCKS_INL_H_
#else
#define ROPELINE_CPU_SIMD_BLOCKS_INL_H_
#endif

#include "cpu/simd/vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

HWY_INLINE int block_size() { return 2 * lanes(); }

template <class E>
struct Blocks;

template <>
struct Blocks<Fp32> {
  static HWY_INLINE void load(const float* p, Floats& even, Floats& odd) { hn::LoadInterleaved2(F(), p, even, odd); }
  static HWY_INLINE void store(Floats even, Floats odd, float* p) { hn::StoreInterleaved2(even, odd, F(), p); }
};

template <>
struct Blocks<Fp16> {
  using H = Elements<Fp16>::H;
  static HWY_INLINE void load(const std::uint16_t* p, Floats& even, Floats& odd) {
    const Floats lo = Elements<Fp16>::load(p), hi = Elements<Fp16>::load(p + lanes());
    even = hn::ConcatEven(F(), hi, lo);
    odd = hn::ConcatOdd(F(), hi, lo);
  }
  static HWY_INLINE Words half_words(Floats x) {
    return hn::PromoteTo(U(), hn::BitCast(hn::RebindToUnsigned<H>(), hn::DemoteTo(H(), x)));
  }
  static HWY_INLINE void store(Floats even, Floats odd, std::uint16_t* p) {
    const Words words = hn::Or(half_words(even), hn::ShiftLeft<16>(half_words(odd)));
    hn::StoreU(hn::BitCast(hn::RepartitionToNarrow<U>(), words), hn::RepartitionToNarrow<U>(), p);
  }
};

template <>
struct Blocks<Bf16> {
  using D16 = hn::RepartitionToNarrow<U>;
  static HWY_INLINE void load(const std::uint16_t* p, Floats& even, Floats& odd) {
    const Words words = hn::BitCast(U(), hn::LoadU(D16(), p));
    even = floats(hn::ShiftLeft<16>(words));
    odd = floats(hn::And(words, hn::Set(U(), 0xffff0000u)));
  }
  /// Both vectors are rounded at once, in 16-bit lanes: `upper` holds the halves that stay, `lower` those that decide.
  /// Rounding is up when the lower half is above a half unit, or at one and the upper is odd (which sets its bit 0).
  static HWY_INLINE void store(Floats even, Floats odd, std::uint16_t* p) {
    const Halves upper = upper_halves(bits(even), bits(odd)), lower = lower_halves(bits(even), bits(odd));
    const Halves sticky = hn::OrAnd(lower, upper, hn::Set(D16(), 1));
    hn::StoreU(add_where_above_half(upper, sticky), D16(), p);
  }

 private:
  using Halves = hn::Vec<D16>;
  static HWY_INLINE Halves halves(Words w) { return hn::BitCast(D16(), w); }

#if HWY_TARGET == HWY_AVX3
  /// A byte shuffle under a mask does it in one instruction: the same one exchanges the halves of each word, and only
  /// the half that is wanted is taken from it.
  static HWY_INLINE __m512i exchange() { return _mm512_set4_epi32(0x0d0c0f0e, 0x09080b0a, 0x05040706, 0x01000302); }
  static HWY_INLINE Halves upper_halves(Words even, Words odd) {
    return Halves{_mm512_mask_shuffle_epi8(odd.raw, 0x3333333333333333u, even.raw, exchange())};
  }
  static HWY_INLINE Halves lower_halves(Words even, Words odd) {
    return Halves{_mm512_mask_shuffle_epi8(even.raw, 0xccccccccccccccccu, odd.raw, exchange())};
  }
#else
  static HWY_INLINE Halves upper_halves(Words even, Words odd) {
    return hn::OddEven(halves(odd), halves(hn::ShiftRight<16>(even)));
  }
  static HWY_INLINE Halves lower_halves(Words even, Words odd) {
    return hn::OddEven(halves(hn::ShiftLeft<16>(odd)), halves(even));
  }
#endif

  static HWY_INLINE Halves add_where_above_half(Halves upper, Halves sticky) {
#if HWY_TARGET == HWY_AVX3
    const auto up = hn::Gt(sticky, hn::Set(D16(), 0x8000));
    return hn::IfThenElse(up, hn::Add(upper, hn::Set(D16(), 1)), upper);
#else  // no unsigned comparison: sticky > 0x8000 where its negative is positive
    const hn::RebindToSigned<D16> signed16;
    const auto negative = hn::BitCast(signed16, hn::Sub(hn::Zero(D16()), sticky));
    const auto up = hn::VecFromMask(signed16, hn::Gt(negative, hn::Zero(signed16)));
    return hn::Sub(upper, hn::BitCast(D16(), up));
#endif
  }
};

/// Arranges count fp32 values, whole blocks of them, as blocks are held: each block's even ones, then its odd ones.
inline void arrange(const float* in, int count, float* out) {
  for (int i = 0; i < count; i += block_size()) {
    Floats even, odd;
    hn::LoadInterleaved2(F(), in + i, even, odd);
    hn::StoreU(even, F(), out + i);
    hn::StoreU(odd, F(), out + i + lanes());
  }
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
