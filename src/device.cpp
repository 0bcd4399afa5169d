#include "ropeline/device.h"

#include "error.h"

namespace ropeline {

std::string to_string(const Device& device) {
  if (device.kind == Device::Kind::cuda) return text("cuda:", device.index);
  if (device.target == CpuTarget::best) return "cpu";
  return text("cpu:", name_of(device.target));
}

}  // namespace ropeline
