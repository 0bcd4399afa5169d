#include "emulator/kernels.h"

#include <map>

namespace ropeline::emulator {

static std::map<std::string, Run>& all() {
  static std::map<std::string, Run> kernels;
  return kernels;
}

Run find_kernel(const std::string& name) {
  const auto found = all().find(name);
  return found == all().end() ? nullptr : found->second;
}

Registration::Registration(const char* name, Run run) { all()[name] = run; }

}  // namespace ropeline::emulator
