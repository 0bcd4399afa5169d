#pragma once

// The seam between the lowered op and the loops of an instruction set.

#include <cstdint>

#include "cpu/lowered.h"
#include "kernels/shared/qk_norm_rope_params.h"
#include "ropeline/device.h"

namespace ropeline::cpu {

/// Runs tokens [begin, end) of a call, counted over all batches, on this thread. The floating-point mode is set.
using TokenLoop = void (*)(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end);

/// Plain loops with std::fma: the target that is always there.
void run_scalar(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end);

/// The loops of a SIMD target, or null when this build has none for it.
TokenLoop simd_loop(CpuTarget target, DType activation);

/// Whether this machine and this build run the target.
bool is_available(CpuTarget target);

}  // namespace ropeline::cpu
