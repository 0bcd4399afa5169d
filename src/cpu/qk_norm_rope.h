#pragma once

#include <memory>

#include "cpu/target.h"
#include "device_program.h"
#include "kernels/shared/qk_norm_rope_params.h"
#include "ropeline/spec.h"

namespace ropeline::cpu {

/// A spec lowered for one instruction set: which loops run, and the frequencies they read. A call is spread over the
/// stream's executor; small ones stay on the calling thread.
/// The spec has passed `ops::qk_norm_rope::check` and the target has been resolved.
std::unique_ptr<const DeviceProgram<QkNormRopeParams>> lower(const Spec& spec, CpuTarget target);

}  // namespace ropeline::cpu
