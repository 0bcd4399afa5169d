#pragma once

#include <vector>

#include "reference/angles.h"
#include "ropeline/spec.h"

namespace ropeline::reference {

/// docs/numerics.md, section 6, in place on one head. Elements outside the rotated slice are not touched.
void rotate(std::vector<float>& head, const Rope& rope, const std::vector<Turn>& turns, DType activation);

}  // namespace ropeline::reference
