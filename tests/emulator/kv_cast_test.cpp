// The text of kv_cast, run on the CPU, gives the reference's bits: every case, in several layouts, with ordinary and
// special values, twice: the second time with other garbage on the stacks and the threads in the opposite order.

#include "ops/kv_cast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "conformance/kv_cast_call.h"
#include "conformance/kv_cast_far.h"
#include "emulator/kv_cast_cases.h"
#include "emulator/kv_cast_kernels.h"
#include "ops/kv_cast_launch.h"
#include "reference/kv_cast.h"

namespace ropeline::emulator {
namespace {

using namespace conformance;
namespace op = ops::kv_cast;

KvCastRecipe random_recipe(const KvCastSpec& spec, int index, Random& random) {
  KvCastRecipe r{.spec = spec, .tokens = 1 + random.below(9), .rows = 1 + random.below(20)};
  r.input = static_cast<CastInput>(index % 6), r.cache = static_cast<CastCache>(index % 4);
  r.locs = index % 2 ? Locs::holes : Locs::scattered;
  r.mult = 1 + random.below(3), r.offset = random.below(3), r.loc_stride = 1 + random.below(2);
  r.shift = spec.alignment / 2 * random.below(4);
  r.values = index % 3 == 2 ? Values::special : Values::ordinary;
  r.k_scale = std::exp2(3 * random.normal()), r.v_scale = random.pick({0x1p-149f, 0.0f, 0.3f, 0x1.8p126f});
  r.seed = random.bits();
  return r;
}

Index index3(const std::array<unsigned, 3>& n) { return {n[0], n[1], n[2]}; }

testing::AssertionResult conforms(std::size_t index, const KvCastCall& expected, KvCastCall got,
                                  Conditions conditions) {
  const KvCastParams params = op::params(got.args);
  const op::Launch l = op::launch(kKvCastCases[index], params.tokens);
  try {
    if (params.locs > 0) run_kv_cast(index, index3(l.grid), index3(l.block), conditions, params);
  } catch (const Fault& fault) {
    return testing::AssertionFailure() << fault.what() << "\n  " << got.origin;
  }
  const std::string text = difference(expected, got);
  return text.empty() ? testing::AssertionSuccess() : testing::AssertionFailure() << text;
}

class EmulatedKvCast : public testing::TestWithParam<std::size_t> {};

TEST_P(EmulatedKvCast, GivesTheReferencesBits) {
  const kernel::KvCastVariant& variant = kKvCastCases[GetParam()];
  ASSERT_EQ(op::variants(spec_of(variant))[!variant.apart], variant);  // it takes every call of that spec
  Random random(29 + GetParam());
  for (int index = 0; index < 12; ++index) {
    const KvCastCall call = make(random_recipe(spec_of(variant), index, random));
    KvCastCall expected = call;
    reference::run(expected.spec, expected.args);
    EXPECT_TRUE(conforms(GetParam(), expected, call, {.poison = std::byte{0xa5}}));
    EXPECT_TRUE(conforms(GetParam(), expected, call, {.poison = std::byte{0x3c}, .backward = true}));
  }
}

/// Both forms of this layer; its heads are 64 wide.
TEST(EmulatedKvCastFar, HeadsThatLieGigabytesApart) {
  FarCall expected;
  reference::run(FarCall::spec(), expected.args);
  for (const kernel::KvCastVariant& variant : op::variants(FarCall::spec())) {
    const auto found = std::ranges::find(kKvCastCases, variant);
    ASSERT_NE(found, kKvCastCases.end());
    FarCall got;
    const KvCastParams params = op::params(got.args);
    const op::Launch l = op::launch(variant, params.tokens);
    run_kv_cast(static_cast<std::size_t>(found - kKvCastCases.begin()), index3(l.grid), index3(l.block), {}, params);
    EXPECT_TRUE(got.equals(expected)) << op::kernel_name(variant);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedKvCast, testing::Range<std::size_t>(0, kKvCastCases.size()),
                         [](const auto& info) { return "case_" + std::to_string(info.param); });

}  // namespace
}  // namespace ropeline::emulator
