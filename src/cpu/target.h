#pragma once

// Which instruction sets there are is said in simd/targets.h; here, which of them a plan takes.

#include "ropeline/device.h"

namespace ropeline::cpu {

/// The target that `best` stands for here: ROPELINE_CPU_TARGET, else the first of cpu_targets(). Others come back as
/// they are. Throws Error{unsupported} for a target that this machine lacks.
CpuTarget resolve(CpuTarget target);

}  // namespace ropeline::cpu
