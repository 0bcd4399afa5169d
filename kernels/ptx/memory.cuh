#pragma once

// Global loads and stores by width in bytes. The volatile loads keep the order in which they are written, which is what
// puts all of a lane's bytes in flight before the first use. `constant` ones are for memory that no kernel writes
// meanwhile. On a host the same access is a dereference of that size and alignment, so that sanitizers judge it.

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"

namespace ropeline::kernel::ptx {

template <int n>
struct Words {
  uint32_t word[n];
};

#if !defined(__CUDA_ARCH__)
template <int n>
struct alignas(4 * n) [[gnu::may_alias]] InMemory {
  uint32_t word[n];
};
using Half [[gnu::may_alias]] = uint16_t;

template <int n>
ROPELINE_DEVICE Words<n> read(const void* at) {
  const InMemory<n> value = *static_cast<const InMemory<n>*>(at);
  Words<n> result;
  for (int i = 0; i < n; ++i) result.word[i] = value.word[i];
  return result;
}

template <int n>
ROPELINE_DEVICE void write(void* at, Words<n> value) {
  InMemory<n> stored;
  for (int i = 0; i < n; ++i) stored.word[i] = value.word[i];
  *static_cast<InMemory<n>*>(at) = stored;
}
#endif

ROPELINE_DEVICE uint16_t load_2(const void* at) {
#if defined(__CUDA_ARCH__)
  uint16_t x;
  asm volatile("ld.global.u16 %0, [%1];" : "=h"(x) : "l"(at) : "memory");
  return x;
#else
  return *static_cast<const Half*>(at);
#endif
}

ROPELINE_DEVICE Words<1> load_4(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<1> x;
  asm volatile("ld.global.u32 %0, [%1];" : "=r"(x.word[0]) : "l"(at) : "memory");
  return x;
#else
  return read<1>(at);
#endif
}

ROPELINE_DEVICE Words<2> load_8(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<2> x;
  asm volatile("ld.global.v2.u32 {%0, %1}, [%2];" : "=r"(x.word[0]), "=r"(x.word[1]) : "l"(at) : "memory");
  return x;
#else
  return read<2>(at);
#endif
}

ROPELINE_DEVICE Words<4> load_16(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<4> x;
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.word[0]), "=r"(x.word[1]), "=r"(x.word[2]), "=r"(x.word[3])
               : "l"(at)
               : "memory");
  return x;
#else
  return read<4>(at);
#endif
}

ROPELINE_DEVICE uint16_t load_constant_2(const void* at) {
#if defined(__CUDA_ARCH__)
  uint16_t x;
  asm volatile("ld.global.nc.u16 %0, [%1];" : "=h"(x) : "l"(at));
  return x;
#else
  return *static_cast<const Half*>(at);
#endif
}

ROPELINE_DEVICE Words<1> load_constant_4(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<1> x;
  asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(x.word[0]) : "l"(at));
  return x;
#else
  return read<1>(at);
#endif
}

ROPELINE_DEVICE Words<2> load_constant_8(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<2> x;
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(x.word[0]), "=r"(x.word[1]) : "l"(at));
  return x;
#else
  return read<2>(at);
#endif
}

ROPELINE_DEVICE Words<4> load_constant_16(const void* at) {
#if defined(__CUDA_ARCH__)
  Words<4> x;
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(x.word[0]), "=r"(x.word[1]), "=r"(x.word[2]), "=r"(x.word[3])
               : "l"(at));
  return x;
#else
  return read<4>(at);
#endif
}

ROPELINE_DEVICE void store_2(void* at, uint16_t x) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.u16 [%0], %1;" ::"l"(at), "h"(x) : "memory");
#else
  *static_cast<Half*>(at) = x;
#endif
}

ROPELINE_DEVICE void store_4(void* at, Words<1> x) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.u32 [%0], %1;" ::"l"(at), "r"(x.word[0]) : "memory");
#else
  write(at, x);
#endif
}

ROPELINE_DEVICE void store_8(void* at, Words<2> x) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(at), "r"(x.word[0]), "r"(x.word[1]) : "memory");
#else
  write(at, x);
#endif
}

ROPELINE_DEVICE void store_16(void* at, Words<4> x) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(x.word[0]), "r"(x.word[1]), "r"(x.word[2]),
               "r"(x.word[3])
               : "memory");
#else
  write(at, x);
#endif
}

}  // namespace ropeline::kernel::ptx
