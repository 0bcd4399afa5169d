// Random specs and calls. The seed of a run is printed; ROPELINE_SEED repeats it.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Property);

TEST_P(Property, AnyCallOfAnySpecGivesTheReferencesBits) {
  const int cases = full_sweep() ? 12000 : 1500;
  for (int i = 0; i < cases; ++i) {
    Random random = random_of(run_seed(), i);
    ASSERT_TRUE(conforms(GetParam(), random_recipe(random))) << "case " << i;
  }
}

}  // namespace
}  // namespace ropeline::conformance
