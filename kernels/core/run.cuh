#pragma once

// A run: neighbouring elements of a tensor in one lane, as they lie in memory, and their meaning as fp32.

#include "kernels/core/device.cuh"
#include "kernels/ptx/convert.cuh"
#include "kernels/ptx/memory.cuh"
#include "kernels/shared/element.h"

namespace ropeline::kernel {

template <Element type, int n>
struct Run {
  enum : int { words = divide_up(n * size_of(type), 4) };
  uint32_t word[words] = {};
};

template <Element type, int n>
ROPELINE_DEVICE float element(const Run<type, n>& run, int i) {
  if constexpr (type == Element::fp32) return float_of(run.word[i]);
  const uint32_t word = run.word[i / 2];
  if constexpr (type == Element::fp16) return ptx::widen_fp16(static_cast<uint16_t>(i % 2 ? word >> 16 : word));
  return float_of(i % 2 ? word & 0xffff0000u : word << 16);
}

/// Two fp32 numbers rounded to a 16-bit type, in one word.
template <Element type>
ROPELINE_DEVICE uint32_t pack(float low, float high) {
  if constexpr (type == Element::fp16) return ptx::pack_fp16(low, high);
  return ptx::pack_bf16(low, high);
}

/// Rounds to the type: the store of docs/numerics.md section 7.
template <Element type, int n>
ROPELINE_DEVICE Run<type, n> narrow(const float (&x)[n]) {
  Run<type, n> run;
#pragma unroll
  for (int i = 0; i < Run<type, n>::words; ++i)
    if constexpr (type == Element::fp32)
      run.word[i] = bits_of(x[i]);
    else
      run.word[i] = pack<type>(x[2 * i], x[2 * i + 1]);
  return run;
}

/// R of docs/numerics.md: rounds to the type and widens again, in place.
template <Element type, int n>
ROPELINE_DEVICE void round(float (&x)[n]) {
  if constexpr (type != Element::fp32) {
    const Run<type, n> run = narrow<type>(x);
#pragma unroll
    for (int i = 0; i < n; ++i) x[i] = element(run, i);
  }
}

template <Element type>
ROPELINE_DEVICE float rounded(float x) {
  float pair[2] = {x, x};
  round<type>(pair);
  return pair[0];
}

/// Memory that this kernel writes, or that nobody does while it runs.
enum class Memory { data, constant };

template <Memory memory, int bytes>
ROPELINE_DEVICE void load_piece(uint32_t* word, const char* at) {
  constexpr bool data = memory == Memory::data;
  ptx::Words<bytes / 4> piece;
  if constexpr (bytes == 4) piece = data ? ptx::load_4(at) : ptx::load_constant_4(at);
  if constexpr (bytes == 8) piece = data ? ptx::load_8(at) : ptx::load_constant_8(at);
  if constexpr (bytes == 16) piece = data ? ptx::load_16(at) : ptx::load_constant_16(at);
#pragma unroll
  for (int i = 0; i < bytes / 4; ++i) word[i] = piece.word[i];
}

/// One element, into its place in the run.
template <Memory memory, Element type, int n>
ROPELINE_DEVICE void load_element(Run<type, n>& run, int i, const char* at) {
  if constexpr (size_of(type) == 4) {
    load_piece<memory, 4>(run.word + i, at);
  } else {
    const uint32_t half = memory == Memory::data ? ptx::load_2(at) : ptx::load_constant_2(at);
    run.word[i / 2] = i % 2 ? (run.word[i / 2] & 0x0000ffffu) | half << 16 : half;
  }
}

/// A run whose elements lie side by side, in as few accesses as `access` elements (and 16 bytes) each allow.
template <Memory memory, int access, Element type, int n>
ROPELINE_DEVICE void load(Run<type, n>& run, const char* at) {
  constexpr int bytes = least(16, least(access, n) * size_of(type));
  if constexpr (bytes == 2 || access == 1) {
#pragma unroll
    for (int i = 0; i < n; ++i) load_element<memory>(run, i, at + i * size_of(type));
  } else {
#pragma unroll
    for (int i = 0; i < n * size_of(type); i += bytes) load_piece<memory, bytes>(run.word + i / 4, at + i);
  }
}

template <int bytes>
ROPELINE_DEVICE void store_piece(char* at, const uint32_t* word) {
  ptx::Words<bytes / 4> piece;
#pragma unroll
  for (int i = 0; i < bytes / 4; ++i) piece.word[i] = word[i];
  if constexpr (bytes == 4) ptx::store_4(at, piece);
  if constexpr (bytes == 8) ptx::store_8(at, piece);
  if constexpr (bytes == 16) ptx::store_16(at, piece);
}

template <Element type, int n>
ROPELINE_DEVICE void store_element(char* at, const Run<type, n>& run, int i) {
  if constexpr (size_of(type) == 4)
    store_piece<4>(at, run.word + i);
  else
    ptx::store_2(at, static_cast<uint16_t>(i % 2 ? run.word[i / 2] >> 16 : run.word[i / 2]));
}

template <Element type, int n>
ROPELINE_DEVICE void store(char* at, const Run<type, n>& run) {
  constexpr int bytes = least(16, n * size_of(type));
#pragma unroll
  for (int i = 0; i < n * size_of(type); i += bytes) store_piece<bytes>(at + i, run.word + i / 4);
}

}  // namespace ropeline::kernel
