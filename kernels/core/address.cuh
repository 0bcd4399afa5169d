#pragma once

// Addresses of 64 bits all the way: a tensor may have more than 2^31 elements, and a head may lie that far from the
// next.

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"

namespace ropeline::kernel {

template <class Bytes>
ROPELINE_DEVICE Bytes step(Bytes base, uint32_t n, int64_t stride) {
  return base + n * stride;
}

}  // namespace ropeline::kernel
