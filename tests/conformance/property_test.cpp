// Random specs and calls. The seed of a run is printed; ROPELINE_SEED repeats it.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Property);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 200, kFullCases = 1000;  // a sanitizer slows each of them ten times
#else
constexpr int kCases = 1000, kFullCases = 12000;
#endif

TEST_P(Property, AnyCallOfAnySpecGivesTheReferencesBits) {
  const int cases = full_sweep() ? kFullCases : kCases;
  for (int i = 0; i < cases; ++i) {
    Random random = random_of(run_seed(), i);
    ASSERT_TRUE(conforms(GetParam(), random_recipe(random))) << "case " << i;
  }
}

}  // namespace
}  // namespace ropeline::conformance
