#pragma once

#include "kernels/shared/kv_cast_params.h"
#include "ropeline/kv_cast.h"

/// The contract of the op: what a spec must be, what a call must bring, and the launch that follows. No device in
/// sight.
namespace ropeline::ops::kv_cast {

/// Throws Error{invalid_argument} for a spec that can never be right, with the field and the value.
void check(const KvCastSpec& spec);

/// Checks the tensors of a call against the spec. Throws Error{invalid_argument}.
void check(const KvCastSpec& spec, Device device, const KvCastArgs& args);

/// The launch of a checked call.
KvCastParams params(const KvCastArgs& args);

}  // namespace ropeline::ops::kv_cast
