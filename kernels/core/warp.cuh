#pragma once

// Shuffles. Every lane of the warp takes part in each: the mask is always the whole warp, and no caller stands in a
// branch that only some lanes of a warp take.

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"

namespace ropeline::kernel {

enum : uint32_t { kAllLanes = 0xffffffffu };

ROPELINE_DEVICE float from_neighbour(float x, int distance) { return __shfl_xor_sync(kAllLanes, x, distance); }

/// The value of that lane; lane numbers count modulo 32.
ROPELINE_DEVICE float from_lane(float x, int lane) { return __shfl_sync(kAllLanes, x, lane); }

}  // namespace ropeline::kernel
