#pragma once

// Which of Highway's targets this library is built for. Included before any Highway header, so that each source of this
// folder is compiled once for every target below, and once more, with an empty body, for the baseline that Highway
// insists on. Below AVX2 there is no fused multiply-add; there the scalar target runs.

#define HWY_COMPILE_ALL_ATTAINABLE
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#define ROPELINE_SIMD_TARGETS (HWY_AVX2 | HWY_AVX3 | HWY_NEON | HWY_SVE)
