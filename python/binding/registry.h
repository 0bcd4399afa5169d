#pragma once

#include <cstdint>

#include "ropeline/plan.h"

/// The specs of this process that torch ops can name by a number. The stable ABI carries no strings before torch 2.10,
/// so an op takes `int spec` = Spec::id(), which is the same in every process.
namespace ropeline::binding {

/// Prepares a plan for the spec on the CPU and makes its id known; a second time is free. Returns the id.
/// Throws what `prepare` throws.
std::int64_t register_spec(const Spec& spec);

/// The plan of a registered id. Takes no lock. Throws Error{invalid_argument} that says how to register.
const Plan& plan_of(std::int64_t id);

}  // namespace ropeline::binding
