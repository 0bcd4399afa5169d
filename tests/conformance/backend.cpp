#include "conformance/backend.h"

namespace ropeline::conformance {

const std::vector<Backend>& backends() {
  static const std::vector<Backend> all = [] {
    std::vector<Backend> found;
    for (CpuTarget target : cpu_targets())
      found.push_back({"cpu_" + std::string(name_of(target)),
                       [target](const Spec& spec, const Args& args) { prepare(spec, Device::cpu(target)).run(args); }});
    return found;
  }();
  return all;
}

}  // namespace ropeline::conformance
