#pragma once

#include <cstdint>

#include "ropeline/plan.h"

/// The specs of this process that torch ops can name by a number. The stable ABI carries no strings before torch 2.10,
/// so an op takes `int spec` = Spec::id(), which is the same in every process. A registered spec has a plan for each
/// device that has run it. Finding one takes no lock.
namespace ropeline::binding {

/// Prepares a plan for the spec on the CPU and makes its id known; a second time is free. Returns the id.
/// Throws what `prepare` throws.
std::int64_t register_spec(const Spec& spec);

/// A registered spec. Throws Error{invalid_argument} that says how to register.
const Spec& spec_of(std::int64_t id);

/// The plan of a registered id on a device. The first call for a CUDA device compiles or loads it: throws what
/// `prepare` throws.
const Plan& prepared(std::int64_t id, Device device);

/// The same for a call of an op, where that first time is refused while torch's current stream is being captured.
const Plan& plan_of(std::int64_t id, Device device);

}  // namespace ropeline::binding
