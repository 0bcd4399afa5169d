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
  uint32_t word[words];
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
ROPELINE_DEVICE void narrow(Run<type, n>& run, const float (&x)[n]) {
#pragma unroll
  for (int i = 0; i < Run<type, n>::words; ++i)
    if constexpr (type == Element::fp32)
      run.word[i] = bits_of(x[i]);
    else
      run.word[i] = pack<type>(x[2 * i], x[2 * i + 1]);
}

/// `other` where `is_other`, word by word: a branch would end the block in which loads are put in order.
template <Element type, int n>
ROPELINE_DEVICE void choose(Run<type, n>& run, const Run<type, n>& other, bool is_other) {
#pragma unroll
  for (int i = 0; i < Run<type, n>::words; ++i) run.word[i] = is_other ? other.word[i] : run.word[i];
}

/// R of docs/numerics.md: rounds to the type and widens again, in place.
template <Element type, int n>
ROPELINE_DEVICE void round(float (&x)[n]) {
  if constexpr (type != Element::fp32) {
    Run<type, n> run;
    narrow(run, x);
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

/// One element, into its place in the run. Those of a word in order: the first one clears the second one's place.
template <Memory memory, Element type, int n>
ROPELINE_DEVICE void load_element(Run<type, n>& run, int i, const char* at) {
  constexpr bool data = memory == Memory::data;
  if constexpr (size_of(type) == 4) {
    if constexpr (data) ptx::load_4(run.word + i, at);
    if constexpr (!data) ptx::load_constant_4(run.word + i, at);
  } else {
    const uint32_t half = data ? ptx::load_2(at) : ptx::load_constant_2(at);
    run.word[i / 2] = i % 2 ? run.word[i / 2] | half << 16 : half;
  }
}

/// A run whose elements lie side by side, in accesses of up to 16 bytes.
template <Memory memory, Element type, int n>
ROPELINE_DEVICE void load(Run<type, n>& run, const char* at) {
  constexpr bool data = memory == Memory::data;
  constexpr int bytes = least(16, n * size_of(type));
#pragma unroll
  for (int i = 0; i < Run<type, n>::words; i += divide_up(bytes, 4)) {
    if constexpr (bytes == 2) load_element<memory>(run, 0, at);
    if constexpr (bytes == 4 && data) ptx::load_4(run.word + i, at + 4 * i);
    if constexpr (bytes == 8 && data) ptx::load_8(run.word + i, at + 4 * i);
    if constexpr (bytes == 16 && data) ptx::load_16(run.word + i, at + 4 * i);
    if constexpr (bytes == 4 && !data) ptx::load_constant_4(run.word + i, at + 4 * i);
    if constexpr (bytes == 8 && !data) ptx::load_constant_8(run.word + i, at + 4 * i);
    if constexpr (bytes == 16 && !data) ptx::load_constant_16(run.word + i, at + 4 * i);
  }
}

template <Element type, int n>
ROPELINE_DEVICE void store_element(char* at, const Run<type, n>& run, int i) {
  if constexpr (size_of(type) == 4)
    ptx::store_4(at, run.word + i);
  else
    ptx::store_2(at, static_cast<uint16_t>(i % 2 ? run.word[i / 2] >> 16 : run.word[i / 2]));
}

/// A run of at most 16 bytes, in one access.
template <Element type, int n>
ROPELINE_DEVICE void store(char* at, const Run<type, n>& run) {
  constexpr int bytes = n * size_of(type);
  if constexpr (bytes == 4) ptx::store_4(at, run.word);
  if constexpr (bytes == 8) ptx::store_8(at, run.word);
  if constexpr (bytes == 16) ptx::store_16(at, run.word);
}

}  // namespace ropeline::kernel
