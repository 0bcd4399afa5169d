#pragma once

// What lets one text compile as host C++, as CUDA under NVRTC and nvcc, and inside a Highway target.
// Under NVRTC there are no system headers, so the few names that are needed come from the compiler itself.

#if defined(__CUDACC__)
#define ROPELINE_FN __host__ __device__ __forceinline__
#else
#define ROPELINE_FN inline
#endif

#if !defined(__CUDACC_RTC__)
#include <cstdint>
#include <cstring>
#endif

namespace ropeline {

#if defined(__CUDACC_RTC__)
using int32_t = int;
using uint16_t = unsigned short;
using uint32_t = unsigned int;
using int64_t = long long;
using uint64_t = unsigned long long;
#else
using std::int32_t;
using std::int64_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
#endif

ROPELINE_FN uint32_t bits_of(float x) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(x);
#else
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
#endif
}

ROPELINE_FN float float_of(uint32_t u) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(u);
#else
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
#endif
}

}  // namespace ropeline
