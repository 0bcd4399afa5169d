#include "ropeline/device.h"

#include <array>

#include "cpu/target.h"
#include "error.h"

namespace ropeline {
namespace {

/// Fastest first.
constexpr std::array kTargets = {CpuTarget::avx512, CpuTarget::avx2, CpuTarget::sve, CpuTarget::neon,
                                 CpuTarget::scalar};

}  // namespace

std::string_view name_of(CpuTarget target) noexcept {
  switch (target) {
    case CpuTarget::best: return "best";
    case CpuTarget::scalar: return "scalar";
    case CpuTarget::avx2: return "avx2";
    case CpuTarget::avx512: return "avx512";
    case CpuTarget::neon: return "neon";
    case CpuTarget::sve: return "sve";
  }
  return "?";
}

CpuTarget cpu_target(std::string_view name) {
  if (name == name_of(CpuTarget::best)) return CpuTarget::best;
  for (CpuTarget target : kTargets) {
    if (name == name_of(target)) return target;
  }
  throw_invalid(text("cpu target: \"", name, "\" is none of best, avx512, avx2, sve, neon, scalar"));
}

std::vector<CpuTarget> cpu_targets() {
  std::vector<CpuTarget> result;
  for (CpuTarget target : kTargets) {
    if (cpu::is_available(target)) result.push_back(target);
  }
  return result;
}

std::string to_string(const Device& device) {
  if (device.kind == Device::Kind::cuda) return text("cuda:", device.index);
  if (device.target == CpuTarget::best) return "cpu";
  return text("cpu:", name_of(device.target));
}

}  // namespace ropeline
