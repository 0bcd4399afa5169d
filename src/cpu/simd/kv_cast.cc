// The cast of a run of elements for every SIMD target, in one binary.

#include "cpu/kv_cast.h"

#include "cpu/simd/targets.h"
#include "kernels/shared/fp8.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/simd/kv_cast.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

#if HWY_TARGET & ROPELINE_SIMD_TARGETS
#include "cpu/simd/vectors-inl.h"
// See loops.cc.
#ifdef ROPELINE_SIMD_TOGGLE
#undef ROPELINE_SIMD_TOGGLE
#else
#define ROPELINE_SIMD_TOGGLE
#endif

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

using Codes = hn::Rebind<std::uint8_t, F>;

HWY_INLINE Words word(std::uint32_t x) { return hn::Set(U(), x); }

/// fp32_to_e4m3 of kernels/shared/fp8.h, step by step.
HWY_INLINE Words e4m3(Floats x) {
  const Words u = bits(x), magnitude = hn::And(u, word(0x7fffffff)), a = hn::Min(magnitude, word(kE4m3Largest));
  const Words odd = hn::And(hn::ShiftRight<20>(a), word(1));
  const Words normal = hn::ShiftRight<20>(hn::Add(hn::Add(a, word(0x7ffffu - (120u << 23))), odd));
  const Words subnormal = hn::Sub(bits(hn::Add(floats(a), hn::Set(F(), e4m3_shifter()))), word(0x46800000u));
  const Words code = hn::IfThenElse(hn::Lt(a, word(kE4m3Normal)), subnormal, normal);
  const Words signed_code = hn::Or(code, hn::And(hn::ShiftRight<24>(u), word(0x80)));
  return hn::IfThenElse(hn::RebindMask(U(), hn::IsNaN(x)), word(kE4m3Nan), signed_code);
}

HWY_INLINE void store_codes(Words codes, std::uint8_t* out) {
  hn::StoreU(hn::DemoteTo(Codes(), hn::BitCast(I(), codes)), Codes(), out);
}

template <class E>
void cast_run(const std::uint16_t* in, std::int64_t count, float inverse, std::uint8_t* out) {
  const Floats by = hn::Set(F(), inverse);
  const int n = lanes();
  std::int64_t i = 0;
  for (; i + n <= count; i += n) store_codes(e4m3(hn::Mul(Elements<E>::load(in + i), by)), out + i);
  if (i == count) return;
  const int rest = static_cast<int>(count - i);
  std::uint8_t last[kMaxLanes];
  store_codes(e4m3(hn::Mul(load_first<E>(in + i, rest), by)), last);
  std::memcpy(out + i, last, static_cast<std::size_t>(rest));
}

inline kv_cast::CastRun cast_of(DType input) { return input == DType::bf16 ? cast_run<Bf16> : cast_run<Fp16>; }

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace ropeline::cpu {

kv_cast::CastRun kv_cast::simd_cast(CpuTarget target, DType input) {
#if HWY_TARGETS & HWY_AVX3
  if (target == CpuTarget::avx512) return N_AVX3::cast_of(input);
#endif
#if HWY_TARGETS & HWY_AVX2
  if (target == CpuTarget::avx2) return N_AVX2::cast_of(input);
#endif
#if HWY_TARGETS & HWY_SVE
  if (target == CpuTarget::sve) return N_SVE::cast_of(input);
#endif
#if HWY_TARGETS & HWY_NEON
  if (target == CpuTarget::neon) return N_NEON::cast_of(input);
#endif
  return nullptr;
}

}  // namespace ropeline::cpu
#endif  // HWY_ONCE
