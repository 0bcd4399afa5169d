// Strides, batches, bases and outputs: where the rows lie changes no bit and touches no other byte.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Layouts);

constexpr Layout kLayouts[] = {Layout::dense,      Layout::packed,     Layout::head_packed, Layout::head_gaps,
                               Layout::token_gaps, Layout::head_major, Layout::token_outer, Layout::backward};

constexpr std::byte kPoisons[] = {std::byte{0xff}, std::byte{0x5a}};

Recipe recipe_of(DType type, Angles angles) {
  Recipe recipe{.spec = qk_norm_rope({.q = 4, .k = 4, .head_dim = 80}, RmsNorm{}, Rope::neox(std::move(angles)))};
  recipe.spec = recipe.spec.with_dtype(type);
  recipe.tokens = 5;
  return recipe;
}

TEST_P(Layouts, InPlaceUnderTwoPoisons) {
  for (Layout layout : kLayouts)
    for (std::int64_t batches : {0, 1, 3})
      for (DType type : {DType::bf16, DType::fp32})
        for (std::byte poison : kPoisons) {
          Recipe recipe = recipe_of(type, Frequencies::theta(1e4, 80));
          recipe.layout = layout, recipe.batches = batches, recipe.poison = poison;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
}

TEST_P(Layouts, OutOfPlaceUnderTwoPoisons) {
  for (Layout layout : kLayouts)
    for (Layout out : kLayouts) {
      if (out == Layout::packed || out == Layout::head_packed) continue;
      for (std::int64_t batches : {0, 2})
        for (std::byte poison : kPoisons) {
          Recipe recipe = recipe_of(DType::bf16, CosSinCache{64});
          recipe.layout = layout, recipe.out_layout = out, recipe.in_place = false;
          recipe.batches = batches, recipe.poison = poison;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
    }
}

TEST_P(Layouts, EverySourceOfAnglesSharedByBatchesOrNot) {
  const Angles sources[] = {Frequencies::theta(1e4, 80), CosSinCache{80}, CosSinRows{80, RowLayout::dup}};
  for (const Angles& angles : sources)
    for (std::int64_t batches : {1, 4})
      for (bool shared : {false, true})
        for (int stride : {1, 3}) {
          Recipe recipe = recipe_of(DType::fp16, angles);
          recipe.batches = batches, recipe.shared_angles = shared, recipe.position_stride = stride;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
}

TEST_P(Layouts, PositionsWithStrideZero) {
  for (std::int64_t batches : {0, 3}) {
    Recipe recipe = recipe_of(DType::bf16, Frequencies::theta(1e4, 80));
    recipe.batches = batches;
    recipe.position_stride = 0;
    ASSERT_TRUE(conforms(GetParam(), recipe));
  }
}

TEST_P(Layouts, BasesOffTheAlignmentThatTheSpecNames) {
  for (DType type : {DType::bf16, DType::fp16, DType::fp32}) {
    const int size = static_cast<int>(size_of(type));
    for (int alignment : {size, 8})
      for (int shift = 0; shift < 64; shift += alignment)
        for (Layout layout : {Layout::dense, Layout::head_gaps, Layout::packed}) {
          Recipe recipe = recipe_of(type, CosSinRows{80});
          recipe.spec.alignment = alignment;
          recipe.layout = layout, recipe.shift = shift;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
  }
}

// A launch of a GPU holds 65,535 batches; these are not simply more tokens.
TEST_P(Layouts, MoreBatchesThanALaunchHolds) {
  const Rope rope = Rope::neox(Frequencies::theta(1e4, 16));
  Recipe recipe{.spec = qk_norm_rope({.q = 1, .k = 1, .head_dim = 16}, RmsNorm{}, rope)};
  recipe.batches = 70'000, recipe.tokens = 2, recipe.layout = Layout::token_outer;
  ASSERT_TRUE(conforms(GetParam(), recipe));
}

TEST_P(Layouts, ZeroTokensTouchNothing) {
  for (std::int64_t batches : {0, 2})
    for (bool in_place : {false, true}) {
      Recipe recipe = recipe_of(DType::bf16, CosSinCache{80});
      recipe.tokens = 0, recipe.batches = batches, recipe.in_place = in_place;
      ASSERT_TRUE(conforms(GetParam(), recipe));
    }
}

TEST_P(Layouts, ZeroTokensMayHaveNoMemory) {
  Recipe recipe = recipe_of(DType::bf16, Frequencies::theta(1e4, 80));
  recipe.tokens = 0;
  Call call = make(recipe);
  call.args.q.data = call.args.k.data = call.args.positions.data = nullptr;
  EXPECT_NO_THROW(GetParam().run(call.spec, call.args, call.memory));
}

TEST_P(Layouts, AnOutputThatIsItsInput) {
  Recipe recipe = recipe_of(DType::bf16, Frequencies::theta(1e4, 80));
  recipe.layout = Layout::packed;
  Call call = make(recipe);
  call.args.q_out = call.args.q, call.args.k_out = call.args.k;
  const Call in_place = make(recipe);
  EXPECT_EQ(difference(run(GetParam(), in_place), run(GetParam(), call)), "");
}

TEST_P(Layouts, OneStreamInPlaceAndTheOtherNot) {
  Recipe recipe = recipe_of(DType::bf16, CosSinCache{80});
  recipe.in_place = false;
  for (bool q_in_place : {false, true}) {
    Call call = make(recipe);
    (q_in_place ? call.args.q_out : call.args.k_out) = {};
    EXPECT_EQ(difference(run_reference(call), run(GetParam(), call)), "");
  }
}

}  // namespace
}  // namespace ropeline::conformance
