#pragma once

#include <string>

#include "ropeline/spec.h"

namespace ropeline::binding {

/// What a backward pass needs to know of a registered spec, as JSON: for q and k the list of steps, defaults spelled
/// out. A norm is {"kind": "norm", "eps", "mean", "weighted", "offset"}; a rope is {"kind": "rope", "first", "pairs",
/// "interleaved", "turns"}, where `turns` is the id of a registered spec that applies the same rotation, in fp32, to
/// the q heads alone: rotating the unit vectors (1, 0) and (0, 1) of each pair with it gives the 2x2 matrices of the
/// rotation, whatever the angles come from. Throws Error{unsupported} for a step that has no gradient.
std::string gradient_json(const Spec& spec);

}  // namespace ropeline::binding
