#pragma once

#include <cstdint>
#include <vector>

#include "ropeline/device.h"
#include "ropeline/spec.h"

namespace ropeline::tools {

/// What one backend did over the specs of a check.
struct BackendCheck {
  std::int64_t specs = 0, values = 0, bits_differ = 0;
  Spec first_different = {};  ///< of use when bits_differ is not 0
};

/// A bounded set of specs that this version runs, drawn from every step, dtype, rounding, layout and head size.
std::vector<Spec> drawn_specs(int count, std::uint64_t seed);

/// Runs the specs on a device and on the reference, with token counts from 1 to 70, and counts the bits that differ.
BackendCheck check_device(const std::vector<Spec>& specs, Device device);

}  // namespace ropeline::tools
