#include "conformance/backend.h"

#include "conformance/cuda_backend.h"
#include "conformance/warm.h"

namespace ropeline::conformance {

Backend cpu_backend(CpuTarget target) {
  return {"cpu_" + std::string(name_of(target)), [target](const Spec& spec, const Args& args, const Memory&) {
            prepare(spec, Device::cpu(target)).run(args);
          }};
}

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = [] {
    if (!warm_architecture().empty()) return std::vector<Backend>{warm_backend()};
    std::vector<Backend> found;
    for (CpuTarget target : cpu_targets()) found.push_back(cpu_backend(target));
    if (cuda_absence().empty())
      for (Backend& backend : cuda_backends()) found.push_back(std::move(backend));
    return found;
  }();
  return all;
}

}  // namespace ropeline::conformance
