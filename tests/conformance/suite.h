#pragma once

#include <gtest/gtest.h>

#include "conformance/backend.h"
#include "conformance/difference.h"
#include "conformance/recipe.h"

/// The suite: each file of tests states one promise and is instantiated for every backend of the machine.
namespace ropeline::conformance {

class Conformance : public testing::TestWithParam<Backend> {};

/// One file's fixture: `ROPELINE_CONFORMANCE(Dims);`, then `TEST_P(Dims, ...)`.
#define ROPELINE_CONFORMANCE(Name)                                                \
  class Name : public ::ropeline::conformance::Conformance {};                    \
  INSTANTIATE_TEST_SUITE_P(All, Name, testing::ValuesIn(conformance::backends()), \
                           [](const auto& info) { return info.param.name; })

/// The finished call of a backend, and of the reference.
Call run(const Backend& backend, Call call);
Call run_reference(Call call);

/// The backend's memory after the call equals the reference's.
testing::AssertionResult conforms(const Backend& backend, const Recipe& recipe);

/// The same for one of a sweep's many specs: true at once for those that the backend leaves to other runs. The seed of
/// the run and the spec decide, so that runs add up to the whole sweep, and what a spec costs is spent on all its
/// calls.
testing::AssertionResult conforms_in_sweep(const Backend& backend, const Recipe& recipe);

/// The larger sweep: ROPELINE_FULL is set and not 0.
bool full_sweep();

}  // namespace ropeline::conformance
