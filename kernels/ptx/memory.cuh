#pragma once

// Global loads and stores by width in bytes. The volatile loads keep the order in which they are written, which is what
// puts all of a lane's bytes in flight before the first use. `constant` ones are for memory that no kernel writes
// meanwhile. On a host the same access is a dereference of that size and alignment, so that sanitizers judge it.

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"

namespace ropeline::kernel::ptx {

#if !defined(__CUDA_ARCH__)
template <int n>
struct alignas(4 * n) [[gnu::may_alias]] InMemory {
  uint32_t word[n];
};
using Half [[gnu::may_alias]] = uint16_t;

template <int n>
ROPELINE_DEVICE void read(uint32_t* word, const void* at) {
  const InMemory<n> value = *static_cast<const InMemory<n>*>(at);
  for (int i = 0; i < n; ++i) word[i] = value.word[i];
}

template <int n>
ROPELINE_DEVICE void write(void* at, const uint32_t* word) {
  InMemory<n> value;
  for (int i = 0; i < n; ++i) value.word[i] = word[i];
  *static_cast<InMemory<n>*>(at) = value;
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

ROPELINE_DEVICE void load_4(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.u32 %0, [%1];" : "=r"(word[0]) : "l"(at) : "memory");
#else
  read<1>(word, at);
#endif
}

ROPELINE_DEVICE void load_8(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.v2.u32 {%0, %1}, [%2];" : "=r"(word[0]), "=r"(word[1]) : "l"(at) : "memory");
#else
  read<2>(word, at);
#endif
}

ROPELINE_DEVICE void load_16(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "l"(at)
               : "memory");
#else
  read<4>(word, at);
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

ROPELINE_DEVICE void load_constant_4(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.nc.u32 %0, [%1];" : "=r"(word[0]) : "l"(at));
#else
  read<1>(word, at);
#endif
}

ROPELINE_DEVICE void load_constant_8(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(word[0]), "=r"(word[1]) : "l"(at));
#else
  read<2>(word, at);
#endif
}

ROPELINE_DEVICE void load_constant_16(uint32_t* word, const void* at) {
#if defined(__CUDA_ARCH__)
  asm volatile("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(word[0]), "=r"(word[1]), "=r"(word[2]), "=r"(word[3])
               : "l"(at));
#else
  read<4>(word, at);
#endif
}

ROPELINE_DEVICE void store_2(void* at, uint16_t x) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.u16 [%0], %1;" ::"l"(at), "h"(x) : "memory");
#else
  *static_cast<Half*>(at) = x;
#endif
}

ROPELINE_DEVICE void store_4(void* at, const uint32_t* word) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.u32 [%0], %1;" ::"l"(at), "r"(word[0]) : "memory");
#else
  write<1>(at, word);
#endif
}

ROPELINE_DEVICE void store_8(void* at, const uint32_t* word) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.v2.u32 [%0], {%1, %2};" ::"l"(at), "r"(word[0]), "r"(word[1]) : "memory");
#else
  write<2>(at, word);
#endif
}

ROPELINE_DEVICE void store_16(void* at, const uint32_t* word) {
#if defined(__CUDA_ARCH__)
  asm volatile("st.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(at), "r"(word[0]), "r"(word[1]), "r"(word[2]),
               "r"(word[3])
               : "memory");
#else
  write<4>(at, word);
#endif
}

}  // namespace ropeline::kernel::ptx
