#pragma once

#include <memory>

#include "device_program.h"
#include "kernels/shared/kv_cast_params.h"
#include "ropeline/jit.h"
#include "ropeline/kv_cast.h"

/// The op on a CUDA device.
namespace ropeline::cuda::kv_cast {

/// What the JIT compiles for a spec: its variants in one program, in the order of `ops::kv_cast::variants`.
jit::Source source(const KvCastSpec& spec);

/// Compiles or finds the kernels and uploads them. The spec has passed `ops::kv_cast::check`, and `cuda::obstacle`
/// found none. Throws jit::Error; nothing is left behind then but what the JIT remembers.
std::unique_ptr<const DeviceProgram<KvCastParams>> program(const KvCastSpec& spec, int device);

}  // namespace ropeline::cuda::kv_cast
