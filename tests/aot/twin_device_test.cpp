// On a GPU: every form of every spec of the twin, compiled by the JIT and by nvcc, on the same random calls. Both give
// the reference's bits, and both leave the same bytes.

#include <algorithm>

#include "aot/twins.h"
#include "conformance/cuda_backend.h"
#include "conformance/specs.h"
#include "conformance/suite.h"
#include "cuda/context.h"

namespace ropeline::aot {
namespace {

using conformance::Backend;
using conformance::Call;
using conformance::Random;
using conformance::Recipe;

constexpr int kCalls = 12;

class TwinOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = conformance::cuda_absence(); !reason.empty()) ROPELINE_NOT_RUN(reason);
    architecture = cuda::architecture(cuda::facts(0));
    if (std::ranges::find(kArchitectures, architecture) == std::end(kArchitectures))
      ROPELINE_NOT_RUN("the twin is not built for " + architecture);
  }

  std::string architecture;
};

/// Layout, values, positions and the rest at random, within what the spec allows; every other call packed and in place,
/// which is what the small forms take.
Recipe recipe_of(const Spec& spec, int index) {
  Random random = conformance::random_of(conformance::run_seed() + 2, index);
  Recipe recipe = conformance::random_recipe(random);
  recipe.spec = spec;
  recipe.shift = spec.alignment * random.below(4);
  if (index % 2) recipe.layout = conformance::Layout::packed, recipe.in_place = true, recipe.batches = 0;
  recipe.positions = static_cast<conformance::Positions>(random.below(spec.positions == DType::int64 ? 5 : 4));
  return recipe;
}

/// What each backend makes of each call of each spec, in that order.
std::vector<Call> results() {
  std::vector<Call> all;
  for (const Spec& spec : specs())
    for (int i = 0; i < kCalls; ++i)
      for (const Backend& backend : conformance::cuda_backends())
        all.push_back(conformance::run(backend, conformance::make(recipe_of(spec, i))));
  return all;
}

TEST_F(TwinOnDevice, LeavesTheBytesOfTheJitAndTheBitsOfTheReference) {
  configure(Maker::jit, architecture);
  const std::vector<Call> by_jit = results();
  EXPECT_EQ(jit::statistics().compiles, specs().size());
  configure(Maker::nvcc, architecture);
  const std::vector<Call> by_nvcc = results();
  EXPECT_EQ(jit::statistics().compiles, 0u);
  EXPECT_EQ(jit::statistics().pack_hits, specs().size());

  std::size_t n = 0;
  for (const Spec& spec : specs())
    for (int i = 0; i < kCalls; ++i) {
      const Call expected = conformance::run_reference(conformance::make(recipe_of(spec, i)));
      for (const Backend& backend : conformance::cuda_backends()) {
        SCOPED_TRACE(backend.name);
        ASSERT_EQ(conformance::difference(expected, by_jit[n]), "");
        ASSERT_EQ(conformance::difference(expected, by_nvcc[n]), "");
        ASSERT_TRUE(conformance::same_bytes(by_jit[n], by_nvcc[n])) << spec.json();
        ++n;
      }
    }
  std::printf("%zu calls of %zu specs on %s: JIT and nvcc leave the same bytes\n", n, specs().size(),
              architecture.c_str());
}

}  // namespace
}  // namespace ropeline::aot
