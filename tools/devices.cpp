#include "tools/devices.h"

#include <fmt/format.h>

#include <charconv>

#include "ropeline/error.h"
#include "ropeline/jit.h"
#include "ropeline/plan.h"

namespace ropeline::tools {
namespace {

// What every device that runs anything runs.
Support support_of(Device device) {
  return supports(qk_norm_rope({.q = 1, .head_dim = 64}, RmsNorm{}, Rope::neox(CosSinRows{64})), device);
}

}  // namespace

std::vector<Device> devices() {
  std::vector<Device> all;
  for (CpuTarget target : cpu_targets()) all.push_back(Device::cpu(target));
  if (!cuda_absence().empty()) return all;
  for (int i = 0; i < static_cast<int>(cuda_devices().size()); ++i)
    if (support_of(Device::cuda(i))) all.push_back(Device::cuda(i));
  return all;
}

std::string cuda_absence() {
  if (const Support first = support_of(Device::cuda()); !first) return first.reason;
  return jit::compiler_status().reason;
}

Device device_of(const std::string& name, const std::string& target) {
  if (name == "cpu") return Device::cpu(cpu_target(target));
  if (name == "cuda") return Device::cuda();
  int index = -1;
  const char* const end = name.data() + name.size();
  const bool numbered = name.starts_with("cuda:") && std::from_chars(name.data() + 5, end, index).ptr == end;
  if (!numbered || index < 0)
    throw Error(ErrorKind::invalid_argument, fmt::format("--device: {} is not cpu, cuda or cuda:N", name));
  return Device::cuda(index);
}

}  // namespace ropeline::tools
