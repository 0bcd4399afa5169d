#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ropeline/export.h"

namespace ropeline {

/// The instruction set that a CPU plan is prepared for. `best` is the fastest one of this machine, unless the
/// environment variable ROPELINE_CPU_TARGET names another. Every target gives the same bits.
enum class CpuTarget : std::uint8_t { best, scalar, avx2, avx512, neon, sve };

/// Where a plan runs. A plain value.
struct Device {
  enum class Kind : std::uint8_t { cpu, cuda };

  Kind kind = Kind::cpu;
  int index = 0;                       ///< CUDA device number; 0 on a CPU.
  CpuTarget target = CpuTarget::best;  ///< CPU only.

  static constexpr Device cpu(CpuTarget target = CpuTarget::best) { return {Kind::cpu, 0, target}; }
  static constexpr Device cuda(int index = 0) { return {Kind::cuda, index, CpuTarget::best}; }
  bool operator==(const Device&) const = default;
};

/// "cpu", "cpu:avx2", "cuda:0".
ROPELINE_API std::string to_string(const Device& device);

/// "best", "scalar", "avx2", "avx512", "neon", "sve".
ROPELINE_API std::string_view name_of(CpuTarget target) noexcept;

/// The target of that name. Throws Error{invalid_argument} for any other word, naming the legal ones.
ROPELINE_API CpuTarget cpu_target(std::string_view name);

/// The targets that this machine can run, fastest first. `scalar` is always the last one.
ROPELINE_API std::vector<CpuTarget> cpu_targets();

/// The CUDA devices of this machine, cuda:0 first: "NVIDIA H100 80GB HBM3, sm_90". Empty where there is no driver.
ROPELINE_API std::vector<std::string> cuda_devices();

/// The newest CUDA that the driver of this machine knows: "13.0". Empty where there is no driver.
ROPELINE_API std::string cuda_driver_version();

}  // namespace ropeline
