#pragma once

#include "emulator/block.h"
#include "kernels/shared/kv_cast_params.h"

namespace ropeline::emulator {

/// Runs the kernel of kKvCastCases[index]. Throws Fault.
void run_kv_cast(std::size_t index, Index blocks, Index threads, const Conditions& conditions,
                 const KvCastParams& params);

}  // namespace ropeline::emulator
