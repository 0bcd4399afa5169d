#pragma once

#include <vector>

#include "kernels/shared/qk_norm_rope_variant.h"
#include "ropeline/spec.h"

namespace ropeline::emulator {

/// A spec and one of its variants.
struct Case {
  Spec spec;
  kernel::Variant variant;
};

/// The variants that are built for the emulator and compiled for every architecture: about sixty, in which almost every
/// two choices (dims, style, source, dtypes, roundings, weights, forms, head counts ...) meet at least once, and the
/// shapes that other kernels got wrong. The same list in every run.
std::vector<Case> cases();

}  // namespace ropeline::emulator
