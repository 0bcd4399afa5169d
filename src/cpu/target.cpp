#include "cpu/target.h"

#include <array>

#include "cpu/loops.h"
#include "env.h"
#include "error.h"

namespace ropeline {
namespace {

/// Fastest first.
constexpr std::array kTargets = {CpuTarget::avx512, CpuTarget::avx2, CpuTarget::sve, CpuTarget::neon,
                                 CpuTarget::scalar};

bool is_available(CpuTarget target) { return target == CpuTarget::scalar || cpu::simd_runs(target); }

CpuTarget target_of_environment(const std::string& name) try { return cpu_target(name); } catch (const Error& error) {
  throw_invalid(text("ROPELINE_CPU_TARGET: ", error.what()));
}

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
    if (is_available(target)) result.push_back(target);
  }
  return result;
}

CpuTarget cpu::resolve(CpuTarget target) {
  if (target == CpuTarget::best) {
    const auto name = env::cpu_target();
    target = name ? target_of_environment(*name) : cpu_targets().front();
    if (target == CpuTarget::best) return cpu_targets().front();
  }
  if (!is_available(target)) throw_unsupported(text("device: this machine does not run cpu:", name_of(target)));
  return target;
}

}  // namespace ropeline
