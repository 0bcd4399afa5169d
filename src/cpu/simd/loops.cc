// The SIMD loops of every target, in one binary. Which of them run is decided by name, at run time.

#include "cpu/simd/targets.h"
#include "cpu/target.h"

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

bool runs_here(std::int64_t highway_target) { return (hwy::SupportedTargets() & highway_target) != 0; }

}  // namespace

TokenLoop simd_loop(CpuTarget target, DType activation) {
#if HWY_TARGETS & HWY_AVX3
  if (target == CpuTarget::avx512 && runs_here(HWY_AVX3)) return N_AVX3::loop_of(activation);
#endif
#if HWY_TARGETS & HWY_AVX2
  if (target == CpuTarget::avx2 && runs_here(HWY_AVX2)) return N_AVX2::loop_of(activation);
#endif
#if HWY_TARGETS & HWY_SVE
  if (target == CpuTarget::sve && runs_here(HWY_SVE)) return N_SVE::loop_of(activation);
#endif
#if HWY_TARGETS & HWY_NEON
  if (target == CpuTarget::neon && runs_here(HWY_NEON)) return N_NEON::loop_of(activation);
#endif
  return nullptr;
}

}  // namespace ropeline::cpu
#endif  // HWY_ONCE
