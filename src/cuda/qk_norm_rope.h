#pragma once

#include <memory>

#include "device_program.h"
#include "kernels/shared/qk_norm_rope_params.h"
#include "ropeline/jit.h"
#include "ropeline/spec.h"

/// The op on a CUDA device.
namespace ropeline::cuda::qk_norm_rope {

/// What the JIT compiles for a spec: all its variants in one program, in the order of `ops::qk_norm_rope::variants`.
jit::Source source(const Spec& spec);

/// Compiles or finds the kernels, uploads them and the frequencies. The spec has passed `ops::qk_norm_rope::check`, and
/// `cuda::obstacle` found none. Throws jit::Error; nothing is left behind then but what the JIT remembers.
std::unique_ptr<const DeviceProgram<QkNormRopeParams>> program(const Spec& spec, int device);

}  // namespace ropeline::cuda::qk_norm_rope
