#pragma once

#include "emulator/block.h"
#include "emulator/cases.h"
#include "ropeline/plan.h"

namespace ropeline::emulator {

/// Runs one call of a case's spec by its variant, with blocks of about `warps` warps. Throws Fault. The frequencies lie
/// in memory of exactly their size, so that a read beyond them is seen.
void run(const Case& of, const Args& args, int warps, const Conditions& conditions);

/// Whether the variant takes the call: its weights and tables are aligned, and it has batches or needs none.
bool takes(const Case& of, const Args& args);

}  // namespace ropeline::emulator
