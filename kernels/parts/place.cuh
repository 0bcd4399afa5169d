#pragma once

// Where a thread stands.
//
//             tokens              lanes of a token    batches
//   packed    grid.y              grid.x, block.x
//   others    grid.x, block.y     grid.y, block.x     grid.z
//
// The blocks of a packed token start one after another, so that its bytes are on their way together; grid.x has room
// for more tokens. Threads that have nothing to do follow a neighbour along, because shuffles need every lane, and
// store nothing.

#include "kernels/core/address.cuh"
#include "kernels/parts/code.cuh"
#include "kernels/shared/qk_norm_rope_launch.h"

namespace ropeline::kernel {

struct Place {
  uint32_t batch;
  uint32_t token;
  uint32_t lane;  // among all lanes of the token
  bool live;      // the token exists
};

template <class C>
ROPELINE_DEVICE Place find_place(const QkNormRopeLaunch& p) {
  if constexpr (C::packed) {
    const uint32_t first = C::blocks > 1 ? blockIdx.x * C::threads : 0;
    return {0, blockIdx.y, first + threadIdx.x, true};
  }
  Place place{blockIdx.z, blockIdx.x, blockIdx.y * blockDim.x + threadIdx.x, true};
  if constexpr (C::tokens > 1) {
    const uint32_t tokens = static_cast<uint32_t>(p.tokens);
    place.token = blockIdx.x * C::tokens + threadIdx.y;
    place.live = place.token < tokens;
    if (!place.live) place.token = tokens - 1;
  }
  return place;
}

/// What a tensor holds for the token.
template <bool batched, class Bytes>
ROPELINE_DEVICE Bytes row_of(const Place& place, Bytes base, int64_t token_stride, int64_t batch_stride) {
  if constexpr (batched) base = step(base, place.batch, batch_stride);
  return step(base, place.token, token_stride);
}

}  // namespace ropeline::kernel
