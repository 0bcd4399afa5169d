#pragma once

#include "ropeline/plan.h"

/// What each step of a spec means, in plain scalar loops that follow docs/numerics.md section by section.
/// Slow and obviously right. Everything that runs specs is compared with it bit for bit.
namespace ropeline::reference {

/// Runs one call. The spec and the arguments must be what `Plan::run` would accept; nothing is checked here.
/// Sets round-to-nearest without flush-to-zero for its duration and restores the caller's mode.
void run(const Spec& spec, const Args& args);

}  // namespace ropeline::reference
