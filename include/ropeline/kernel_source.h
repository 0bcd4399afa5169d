#pragma once

#include "ropeline/jit.h"
#include "ropeline/spec.h"

namespace ropeline {

/// The CUDA program behind a spec, for who compiles ahead of time, on a machine with or without a GPU:
///
///     jit::build(kernel_source(spec), {.architecture = "sm_90"})
///
/// is the very entry that `prepare(spec, Device::cuda())` looks for on an sm_90, in whatever cache or pack it lies.
/// Head counts are part of the program; strides, token counts and theta are not.
/// Throws Error{invalid_argument} for a malformed spec and Error{unsupported} with the reason that `supports` gives.
ROPELINE_API jit::Source kernel_source(const Spec& spec);

}  // namespace ropeline
