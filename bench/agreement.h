#pragma once

#include "workload.h"

namespace ropeline::bench {

/// Before anything is timed: the op equals the scalar reference bit for bit with every source of angles and every
/// rounding, and the comparator equals the op but for the order of its sum: at most 0.05 % of elements, each one step
/// of bf16 away. Throws Error{internal} that says where they differ.
void check_agreement(const Model& model, DType dtype);

}  // namespace ropeline::bench
