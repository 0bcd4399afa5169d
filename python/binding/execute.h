#pragma once

#include "ropeline/plan.h"

namespace ropeline::binding {

/// Runs one call of an op. Two definitions exist and one of them is linked: execute.cpp runs the plan, and a library
/// that only tests build runs the scalar reference in its place.
void execute(const Plan& plan, const Args& args);

/// Where torch's own work on that device runs: its current stream of a GPU, its threads on a CPU (execute.cpp).
DeviceStream torch_stream(Device device);

}  // namespace ropeline::binding
