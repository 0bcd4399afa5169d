#pragma once

// The words of device code, for a host compiler. Include this before a kernel; nothing else may include both.

#include <cmath>

#include "emulator/block.h"
#include "kernels/shared/portable.h"

#define ROPELINE_EMULATOR

#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))

#define threadIdx (::ropeline::emulator::self().thread)
#define blockIdx (::ropeline::emulator::self().block)
#define blockDim (::ropeline::emulator::self().threads)
#define gridDim (::ropeline::emulator::self().blocks)

inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }

__forceinline__ float __shfl_xor_sync(unsigned mask, float x, int distance) {
  return ropeline::emulator::exchange(mask, x, [=](int lane) { return lane ^ distance; });
}

__forceinline__ float __shfl_sync(unsigned mask, float x, int from) {
  return ropeline::emulator::exchange(mask, x, [=](int) { return from % 32; });
}

inline void __syncthreads() { ropeline::emulator::barrier(); }
