// The SIMD loops of every target, in one binary. Which of them run is decided by name, at run time.

#include "cpu/simd/targets.h"
#include "cpu/loops.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/simd/loops.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

#if HWY_TARGET & ROPELINE_SIMD_TARGETS
#include "cpu/simd/tokens-inl.h"
// The include guards of this folder's -inl.h files follow a toggle of their own: Highway's flips with the baseline too,
// whose pass includes none of them.
#ifdef ROPELINE_SIMD_TOGGLE
#undef ROPELINE_SIMD_TOGGLE
#else
#define ROPELINE_SIMD_TOGGLE
#endif
#endif

#if HWY_ONCE
namespace ropeline::cpu {
namespace {

/// Highway's bit of a target that this build has loops for, or 0.
std::int64_t highway_target(CpuTarget target) {
  std::int64_t bit = 0;
  if (target == CpuTarget::avx512) bit = HWY_AVX3;
  if (target == CpuTarget::avx2) bit = HWY_AVX2;
  if (target == CpuTarget::sve) bit = HWY_SVE;
  if (target == CpuTarget::neon) bit = HWY_NEON;
  return bit & HWY_TARGETS;
}

}  // namespace

bool simd_runs(CpuTarget target) { return (hwy::SupportedTargets() & highway_target(target)) != 0; }

TokenLoop simd_loop(CpuTarget target, const Lowered& op) {
#if (HWY_TARGETS & HWY_AVX3) && (HWY_TARGETS & HWY_AVX2)
  // Where blocks of 32 do not fit but blocks of 16 do, the narrower vectors are quicker. The bits are the same.
  const bool narrow = !N_AVX3::is_quick(op) && N_AVX2::is_quick(op);
  if (target == CpuTarget::avx512) return narrow ? N_AVX2::loop_of(op) : N_AVX3::loop_of(op);
#endif
#if HWY_TARGETS & HWY_AVX2
  if (target == CpuTarget::avx2) return N_AVX2::loop_of(op);
#endif
#if HWY_TARGETS & HWY_SVE
  if (target == CpuTarget::sve) return N_SVE::loop_of(op);
#endif
#if HWY_TARGETS & HWY_NEON
  if (target == CpuTarget::neon) return N_NEON::loop_of(op);
#endif
  return nullptr;
}

}  // namespace ropeline::cpu
#endif  // HWY_ONCE
