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

/// Whether this build has loops for a SIMD target and this machine runs them.
bool simd_runs(CpuTarget target);

/// The loop that a SIMD target that runs takes for an op.
TokenLoop simd_loop(CpuTarget target, const Lowered& op);

}  // namespace ropeline::cpu
