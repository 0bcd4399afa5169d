#pragma once

#include <string>
#include <vector>

#include "ropeline/device.h"

namespace ropeline::tools {

/// Every device of this machine that runs plans: each CPU target, fastest first, then each GPU that can.
std::vector<Device> devices();

/// Why there is no GPU among them, or an empty string.
std::string cuda_absence();

/// "cpu", "cuda", "cuda:1"; the target is that of a CPU. Throws Error{invalid_argument} for other words.
Device device_of(const std::string& name, const std::string& target);

}  // namespace ropeline::tools
