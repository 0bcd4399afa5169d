// On a GPU: every form of every spec of the twin, compiled by the JIT and by nvcc, on the same random calls. Both give
// the reference's bits, and both leave the same bytes.

#include <algorithm>

#include "aot/twins.h"
#include "conformance/cuda_backend.h"
#include "conformance/kv_cast_backends.h"
#include "conformance/specs.h"
#include "conformance/suite.h"
#include "cuda/context.h"
#include "reference/kv_cast.h"

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

/// Those of one op.
template <class OpSpec>
std::vector<OpSpec> specs_of() {
  std::vector<OpSpec> list;
  for (const AnySpec& spec : specs())
    if (const auto* own = std::get_if<OpSpec>(&spec)) list.push_back(*own);
  return list;
}

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
std::vector<Call> results(const std::vector<Spec>& specs) {
  std::vector<Call> all;
  for (const Spec& spec : specs)
    for (int i = 0; i < kCalls; ++i)
      for (const Backend& backend : conformance::cuda_backends())
        all.push_back(conformance::run(backend, conformance::make(recipe_of(spec, i))));
  return all;
}

TEST_F(TwinOnDevice, LeavesTheBytesOfTheJitAndTheBitsOfTheReference) {
  const std::vector<Spec> specs = specs_of<Spec>();
  configure(Maker::jit, architecture);
  const std::vector<Call> by_jit = results(specs);
  EXPECT_EQ(jit::statistics().compiles, specs.size());
  configure(Maker::nvcc, architecture);
  const std::vector<Call> by_nvcc = results(specs);
  EXPECT_EQ(jit::statistics().compiles, 0u);
  EXPECT_EQ(jit::statistics().pack_hits, specs.size());

  std::size_t n = 0;
  for (const Spec& spec : specs)
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
  std::printf("%zu calls of %zu specs on %s: JIT and nvcc leave the same bytes\n", n, specs.size(),
              architecture.c_str());
}

/// All memory is compared with the reference's, so that of the two makers is the same.
TEST_F(TwinOnDevice, LeavesTheReferencesBytesOfKvCast) {
  const std::vector<KvCastSpec> specs = specs_of<KvCastSpec>();
  ASSERT_FALSE(specs.empty());
  for (const Maker maker : {Maker::jit, Maker::nvcc}) {
    configure(maker, architecture);
    for (const KvCastSpec& spec : specs)
      for (int i = 0; i < kCalls; ++i) {
        Random random = conformance::random_of(conformance::run_seed() + 3, i);
        const conformance::KvCastRecipe recipe = random_recipe(spec, i % 2 ? 5 : 300, random);  // few tokens, and many
        conformance::KvCastCall expected = make(recipe);
        reference::run(expected.spec, expected.args);
        for (const auto& backend : conformance::kv_cast_cuda_backends()) {
          SCOPED_TRACE(backend.name);
          conformance::KvCastCall got = make(recipe);
          backend.run(got);
          ASSERT_EQ(difference(expected, got), "");
        }
      }
    EXPECT_EQ(jit::statistics().compiles, maker == Maker::jit ? specs.size() : 0u);
    EXPECT_EQ(jit::statistics().pack_hits, maker == Maker::nvcc ? specs.size() : 0u);
  }
}

}  // namespace
}  // namespace ropeline::aot
