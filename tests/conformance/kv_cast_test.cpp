// The suite of kv_cast, for every backend of the machine: each CPU target, forced, and the first CUDA device.

#include "reference/kv_cast.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

#include "conformance/floating_mode.h"
#include "conformance/kv_cast_backends.h"
#include "conformance/kv_cast_far.h"
#include "not_run.h"

namespace ropeline::conformance {
namespace {

using Backend = KvCastBackend;

std::vector<Backend> backends() {
  std::vector<Backend> all = kv_cast_cpu_backends();
  if (!kv_cast_cuda_absence().empty()) return all;
  for (Backend& backend : kv_cast_cuda_backends()) all.push_back(std::move(backend));
  return all;
}

class KvCast : public testing::TestWithParam<Backend> {
 protected:
  static testing::AssertionResult conforms(const KvCastCall& call) {
    KvCastCall expected = call, got = call;
    reference::run(expected.spec, expected.args);
    GetParam().run(got);
    const std::string text = difference(expected, got);
    if (text.empty()) return testing::AssertionSuccess();
    return testing::AssertionFailure() << GetParam().name << ": " << text;
  }
  static testing::AssertionResult conforms(const KvCastRecipe& recipe) { return conforms(make(recipe)); }
};

INSTANTIATE_TEST_SUITE_P(All, KvCast, testing::ValuesIn(backends()), [](const auto& info) { return info.param.name; });

KvCastSpec spec_of(int heads, int head_dim, DType input = DType::bf16, DType loc = DType::int64, int alignment = 16) {
  return {heads, head_dim, input, loc, alignment};
}

TEST(KvCastBackends, CudaIsAmongThem) {
  if (const std::string reason = kv_cast_cuda_absence(); !reason.empty()) ROPELINE_NOT_RUN("no CUDA device: " + reason);
  EXPECT_EQ(backends().back().name, "cuda");
}

// --- numbers -------------------------------------------------------------------------------------------------------

/// All 65,536 patterns of the input dtype: k has them upward, v downward.
KvCastCall every_pattern(DType input, float k_scale, float v_scale) {
  KvCastRecipe recipe{.spec = spec_of(8, 64, input), .tokens = 128, .rows = 128};
  recipe.k_scale = k_scale, recipe.v_scale = v_scale;
  KvCastCall call = make(recipe);
  auto* k = static_cast<std::uint16_t*>(call.args.k.data);
  auto* v = static_cast<std::uint16_t*>(call.args.v.data);
  for (int i = 0; i < 0x10000; ++i) k[i] = static_cast<std::uint16_t>(i), v[i] = static_cast<std::uint16_t>(~i);
  return call;
}

/// Powers of two, odd numbers, subnormal ones (whose reciprocal is infinite or close to it), ones with a subnormal
/// reciprocal, and what is no number.
constexpr std::array<std::array<float, 2>, 10> kScales = {
    {{1.0f, 0.5f},
     {0x1p-9f, 0x1p7f},
     {3.0f, 0.0237f},
     {1.0f / 448, 0x1.fffffep-3f},
     {0x1.8p-127f, 0x1.000002p-128f},
     {0x1p-149f, 1e-40f},
     {0x1.8p126f, 0x1.fffffep127f},
     {-0.7f, -0x1p-126f},
     {0.0f, -0.0f},
     {std::numeric_limits<float>::infinity(), __builtin_nanf("")}}};

TEST_P(KvCast, EveryPatternWithEveryScale) {
  for (const DType input : {DType::bf16, DType::fp16})
    for (const auto& [k_scale, v_scale] : kScales) EXPECT_TRUE(conforms(every_pattern(input, k_scale, v_scale)));
}

TEST_P(KvCast, TheCallersFloatingModeChangesNothingAndIsKept) {
  const KvCastCall call = every_pattern(DType::fp16, 0x1.8p-127f, 0x1.8p126f);
  KvCastCall expected = call;
  reference::run(expected.spec, expected.args);
  for (const std::uint64_t control : floating_modes()) {
    KvCastCall got = call;
    const FloatingMode mode(control);
    const std::uint64_t before = FloatingMode::current();
    GetParam().run(got);
    EXPECT_EQ(FloatingMode::current(), before);
    EXPECT_EQ(difference(expected, got), "") << std::hex << control;
  }
}

// --- places --------------------------------------------------------------------------------------------------------

TEST_P(KvCast, EveryHeadDimAndSomeHeadCounts) {
  for (int dim = 8; dim <= 512; dim += 8)
    EXPECT_TRUE(conforms({.spec = spec_of(1 + dim / 8 % 5, dim), .tokens = 3, .rows = 5}));
  for (const int heads : {1, 2, 7, 32, 129})
    EXPECT_TRUE(conforms({.spec = spec_of(heads, 64), .tokens = 3, .rows = 5}));
}

TEST_P(KvCast, EveryLayoutAtEveryAlignmentUnderTwoPoisons) {
  for (const int alignment : {16, 8, 4, 2})
    for (int input = 0; input < 6; ++input)
      for (int cache = 0; cache < 4; ++cache) {
        KvCastRecipe recipe{.spec = spec_of(3, 40, DType::bf16, DType::int64, alignment)};
        recipe.input = static_cast<CastInput>(input), recipe.cache = static_cast<CastCache>(cache);
        recipe.shift = alignment / 2 * (input % 3);
        EXPECT_TRUE(conforms(recipe));
        recipe.poison = std::byte{0x3c};
        EXPECT_TRUE(conforms(recipe));
      }
}

TEST_P(KvCast, TokensWithoutARowAreSkipped) {
  for (const DType loc : {DType::int32, DType::int64})
    for (const std::int64_t mult : {1, 2, 3, 7})
      for (const std::int64_t offset : {0, 1, 39, 40, 1000})
        for (const std::int64_t stride : {1, 3}) {
          KvCastRecipe recipe{.spec = spec_of(2, 64, DType::fp16, loc), .locs = Locs::holes};
          recipe.mult = mult, recipe.offset = offset, recipe.loc_stride = stride;
          recipe.seed = static_cast<std::uint64_t>(mult + 10 * offset + stride);
          EXPECT_TRUE(conforms(recipe));
        }
}

TEST_P(KvCast, AHugeMultLeavesTheRowOfLocZero) {
  for (const std::int64_t mult : {std::int64_t{1} << 33, std::numeric_limits<std::int64_t>::max()}) {
    KvCastRecipe recipe{.spec = spec_of(2, 64), .locs = Locs::holes};
    recipe.mult = mult, recipe.offset = 5;
    EXPECT_TRUE(conforms(recipe));
    recipe.offset = std::numeric_limits<std::int64_t>::max();
    EXPECT_TRUE(conforms(recipe));
  }
}

TEST_P(KvCast, NoTokensAndNoRowsWriteNothing) {
  EXPECT_TRUE(conforms({.spec = spec_of(2, 64), .tokens = 0}));
  EXPECT_TRUE(conforms({.spec = spec_of(2, 64), .rows = 0}));
  EXPECT_TRUE(conforms({.spec = spec_of(2, 64), .tokens = 0, .rows = 0}));
}

TEST(KvCastFar, HeadsThatLieGigabytesApart) {
  FarCall expected;
  reference::run(FarCall::spec(), expected.args);
  EXPECT_FALSE(FarCall().equals(expected));
  for (const CpuTarget target : cpu_targets()) {
    FarCall got;
    prepare(FarCall::spec(), Device::cpu(target)).run(got.args);
    EXPECT_TRUE(got.equals(expected)) << name_of(target);
  }
}

TEST_P(KvCast, ManyTokensOverSeveralThreads) {
  for (const int threads : {1, 3}) {
    set_cpu_threads(threads);
    EXPECT_TRUE(conforms({.spec = spec_of(8, 128), .tokens = 301, .rows = 640, .input = CastInput::packed}));
  }
  set_cpu_threads(1);
}

TEST_P(KvCast, AnyCallGivesTheReferencesBits) {
  for (int n = 0; n < 60; ++n) {
    Random random(run_seed() + static_cast<std::uint64_t>(n));
    const KvCastSpec spec =
        spec_of(1 + random.below(5), 8 + 8 * random.below(20), random.pick({DType::bf16, DType::fp16}),
                random.pick({DType::int32, DType::int64}), 2 << random.below(4));
    const KvCastRecipe r = random_recipe(spec, 1 + random.below(9), random);
    EXPECT_TRUE(conforms(r)) << "ROPELINE_SEED=" << run_seed() + static_cast<std::uint64_t>(n);
  }
}

}  // namespace
}  // namespace ropeline::conformance
