#pragma once

#include <cstdint>
#include <memory>

#include "device_program.h"
#include "kernels/shared/kv_cast_params.h"
#include "ropeline/kv_cast.h"

/// The op on a CPU. What belongs to a token is the same for every instruction set; what casts a run of elements is not.
namespace ropeline::cpu::kv_cast {

/// The spec has passed `ops::kv_cast::check` and the target has been resolved.
std::unique_ptr<const DeviceProgram<KvCastParams>> program(const KvCastSpec& spec, CpuTarget target);

/// count neighbouring elements: out[i] = E4M3(in[i] * inverse). The floating-point mode is set.
using CastRun = void (*)(const std::uint16_t* in, std::int64_t count, float inverse, std::uint8_t* out);

/// The one of a SIMD target that runs (simd/kv_cast.cc).
CastRun simd_cast(CpuTarget target, DType input);

}  // namespace ropeline::cpu::kv_cast
