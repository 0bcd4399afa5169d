#pragma once

// kv_cast: quantises k and v to FP8 E4M3 and writes them into rows of the KV cache.
//
//   grid.x, block.y   tokens
//   grid.y, block.x   lanes of a token
//   grid.z            k, v, where they are apart
//   a lane            v.run neighbouring elements of a head of k, and the same of v: one load and one store each
//
// No lane needs another, so those without work leave. Meaning: docs/numerics.md, section 7.

#include "kernels/core/address.cuh"
#include "kernels/core/arithmetic.cuh"
#include "kernels/core/run.cuh"
#include "kernels/ptx/fp8.cuh"
#include "kernels/ptx/order.cuh"
#include "kernels/ptx/reciprocal.cuh"
#include "kernels/shared/kv_cast_params.h"
#include "kernels/shared/kv_cast_variant.h"

namespace ropeline::kernel {

/// Where a lane stands.
struct CastPlace {
  uint32_t token, head, first;  // first: the first of its elements in the head
};

template <KvCastVariant v>
ROPELINE_DEVICE CastPlace place_of(uint32_t lane) {
  constexpr uint32_t runs = v.head_dim / v.run;
  return {blockIdx.x * blockDim.y + threadIdx.y, lane / runs, lane % runs * v.run};
}

template <KvCastVariant v>
ROPELINE_DEVICE Run<v.input, v.run> fetch(const KvCastStream& stream, CastPlace at) {
  constexpr int size = size_of(v.input);
  const char* row = step(static_cast<const char*>(stream.in), at.token, stream.in_token * size);
  Run<v.input, v.run> x;
  load<Memory::constant>(x, step(row, at.head, stream.in_head * size) + at.first * size);
  return x;
}

/// The row of a token, or no legal one.
template <KvCastVariant v>
ROPELINE_DEVICE uint64_t fetch_loc(const KvCastParams& p, uint32_t token) {
  constexpr int size = v.wide_loc ? 8 : 4;
  const char* at = step(static_cast<const char*>(p.loc), token, p.loc_token * size);
  uint32_t word[2];
  if constexpr (v.wide_loc) {
    ptx::load_constant_8(word, at);
    return word[0] | static_cast<uint64_t>(word[1]) << 32;
  }
  ptx::load_constant_4(word, at);
  return static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(word[0])));
}

template <int run>
ROPELINE_DEVICE void store_codes(char* at, const uint32_t (&codes)[divide_up(run, 2)]) {
  uint32_t word[divide_up(run, 4)];  // two codes are 16 bits
#pragma unroll
  for (int i = 0; i < run / 4; ++i) word[i] = codes[2 * i] | codes[2 * i + 1] << 16;
  if constexpr (run == 8) ptx::store_8(at, word);
  if constexpr (run == 4) ptx::store_4(at, word);
  if constexpr (run == 2) ptx::store_2(at, static_cast<uint16_t>(codes[0]));
  if constexpr (run == 1) ptx::store_1(at, codes[0]);
}

/// What a lane does for k or for v, from the loads to the store.
template <KvCastVariant v>
struct CastStream {
  Run<v.input, v.run> x;
  float scale;
  char* out;  // the lane's place in the row of loc 0
  int64_t loc_stride;

  /// What is used late is read early, in the shadow of the loads.
  ROPELINE_DEVICE CastStream(const KvCastStream& stream, CastPlace at) {
    x = fetch<v>(stream, at);
    uint32_t word[1];
    ptx::load_constant_4(word, stream.scale);
    scale = float_of(word[0]);
    out = step(static_cast<char*>(stream.cache), at.head, stream.cache_head) + at.first;
    loc_stride = stream.cache_loc;
    ptx::hold(out), ptx::hold(loc_stride);
  }

  /// Elements to codes, two at a time.
  ROPELINE_DEVICE void store(uint64_t loc) const {
    const float inverse = ptx::reciprocal(scale);
    uint32_t codes[divide_up(v.run, 2)];
#pragma unroll
    for (int i = 0; i < v.run; i += 2) {
      const float low = mul(element(x, i), inverse), high = v.run > 1 ? mul(element(x, i + 1), inverse) : 0;
      codes[i / 2] = ptx::pack_e4m3(low, high);
    }
    store_codes<v.run>(out + static_cast<int64_t>(loc) * loc_stride, codes);
  }
};

template <KvCastVariant v>
__global__ void __launch_bounds__(kKvCastThreads) kv_cast(const __grid_constant__ KvCastParams p) {
  const uint32_t lane = blockIdx.y * blockDim.x + threadIdx.x;
  const CastPlace at = place_of<v>(lane);
  if (lane >= lanes_of(v) || at.token >= p.tokens) return;
  uint64_t locs = p.locs;
  const uint64_t loc = fetch_loc<v>(p, at.token);
  if constexpr (v.apart) {
    const CastStream<v> stream(p.stream[blockIdx.z], at);
    ptx::hold(locs);
    if (loc < locs) stream.store(loc);  // a negative one is larger than any
  } else {
    const CastStream<v> k(p.stream[0], at), value(p.stream[1], at);
    ptx::hold(locs);
    if (loc >= locs) return;
    k.store(loc);
    value.store(loc);
  }
}

}  // namespace ropeline::kernel
