// NaN, Inf, zeros of both signs, subnormals, sums that overflow or vanish, and callers with another floating-point
// mode.

#include "kernels/shared/numbers.h"

#include <cmath>
#include <limits>

#include "conformance/floating_mode.h"
#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Numbers);

Recipe recipe_of(DType type, Rounding rounding, Style style, Angles angles) {
  const Rope rope{.style = style, .angles = std::move(angles)};
  Recipe recipe{.spec = qk_norm_rope({.q = 8, .k = 4, .head_dim = 96}, RmsNorm{}, rope, rounding)};
  recipe.spec = recipe.spec.with_dtype(type);
  recipe.tokens = 6;
  return recipe;
}

TEST_P(Numbers, SpecialValuesInEveryRounding) {
  for (DType type : {DType::bf16, DType::fp16, DType::fp32})
    for (Rounding rounding : every_rounding())
      for (Style style : {Style::neox, Style::interleaved})
        for (bool tables : {false, true}) {
          Recipe recipe = recipe_of(type, rounding, style, CosSinRows{64, RowLayout::full});
          recipe.values = Values::special;
          recipe.table_values = tables ? Values::special : Values::ordinary;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
}

TEST_P(Numbers, SpecialValuesWithoutANorm) {
  for (DType type : {DType::bf16, DType::fp16, DType::fp32})
    for (RopeRounding rounding : {RopeRounding::end, RopeRounding::products}) {
      Recipe recipe = recipe_of(type, {.rope = rounding}, Style::neox, Frequencies::theta(1e4, 64));
      for (StreamSpec* stream : {&recipe.spec.q, &recipe.spec.k}) stream->steps.erase(stream->steps.begin());
      recipe.values = Values::special;
      ASSERT_TRUE(conforms(GetParam(), recipe));
    }
}

/// One head of fp32 without weight or rope, filled with `x`.
float norm_of(const Backend& backend, float x) {
  Recipe recipe;
  recipe.spec.head_dim = 64;
  recipe.spec.q = {1, {Norm{.eps = 1e-6f, .weight = WeightShape::none}}};
  recipe.spec = recipe.spec.with_dtype(DType::fp32);
  recipe.tokens = 1;
  Call call = make(recipe);
  for (int i = 0; i < 64; ++i) put(call.args.q, i, x);
  return static_cast<const float*>(run(backend, std::move(call)).args.q.data)[0];
}

TEST_P(Numbers, ASumThatOverflowsGivesZeroOfTheSameSign) {
  EXPECT_EQ(bits_of(norm_of(GetParam(), 3e38f)), bits_of(0.0f));
  EXPECT_EQ(bits_of(norm_of(GetParam(), -3e38f)), bits_of(-0.0f));
  EXPECT_TRUE(std::isnan(norm_of(GetParam(), std::numeric_limits<float>::infinity())));
}

TEST_P(Numbers, ASumThatVanishesLeavesEps) {
  EXPECT_EQ(norm_of(GetParam(), 1e-30f), 1e-30f * static_cast<float>(1.0 / std::sqrt(static_cast<double>(1e-6f))));
  EXPECT_EQ(bits_of(norm_of(GetParam(), -0.0f)), bits_of(-0.0f));
}

// Heads are taken in groups: what one of them holds must not choose the arithmetic of another. Found by the property
// test, when NaNs hid the small numbers of their neighbour from a minimum.
TEST_P(Numbers, NaNHeadsDoNotHideTheSmallNumbersOfAnother) {
  const Norm norm{.weight = WeightShape::none};
  for (Rounding rounding : {Rounding{NormRounding::inner}, Rounding::model('A', 'r'), Rounding::model('B', 'r')})
    for (int heads : {2, 3, 5, 8, 16, 17})
      for (int small = 0; small < heads; ++small) {
        Recipe recipe{.spec = qk_norm_rope({.q = heads, .head_dim = 64}, norm, Rope::neox(CosSinRows{64}), rounding)};
        recipe.spec.table = DType::bf16;
        recipe.tokens = 1;
        Call call = make(recipe);
        for (int h = 0; h < heads; ++h) {
          for (int i = 0; i < 64; ++i) {
            const float number = i % 2 ? 1.0f : std::ldexp(1.0f + static_cast<float>(i) / 64, -130);
            put(call.args.q, h * 64 + i, h == small ? number : std::numeric_limits<float>::quiet_NaN());
          }
        }
        ASSERT_EQ(difference(run_reference(call), run(GetParam(), call)), "") << "head " << small << " of " << heads;
      }
}

TEST_P(Numbers, ElementsOutsideTheSlicePassAsTheyAre) {
  Recipe recipe = recipe_of(DType::bf16, Rounding::fused(), Style::neox, Frequencies::theta(1e4, 64));
  recipe.spec.q.steps.erase(recipe.spec.q.steps.begin());
  Call call = make(recipe);
  constexpr std::uint16_t pattern[] = {0x8000, 0x7f80, 0xff80, 0x7fc0, 0x0001};  // -0, Inf, -Inf, NaN, subnormal
  auto* q = static_cast<std::uint16_t*>(call.args.q.data);
  for (int i = 0; i < 32; ++i) q[64 + i] = pattern[i % 5];
  const Call done = run(GetParam(), call);
  const auto* out = static_cast<const std::uint16_t*>(done.args.q.data);
  for (int i = 0; i < 32; ++i) {
    if (i % 5 == 3) {
      EXPECT_TRUE(std::isnan(bf16_to_fp32(out[64 + i])));
    } else {
      EXPECT_EQ(out[64 + i], pattern[i % 5]) << "element " << 64 + i;
    }
  }
  for (int i = 0; i < 64; ++i) EXPECT_FALSE(std::isnan(bf16_to_fp32(out[i]))) << "leaked into element " << i;
}

TEST_P(Numbers, TheCallersFloatingModeChangesNothingAndIsKept) {
  for (DType type : {DType::bf16, DType::fp32})
    for (Rounding rounding : {Rounding::fused(), Rounding::model('A', 'r')}) {
      Recipe recipe = recipe_of(type, rounding, Style::neox, Frequencies::theta(1e6, 96));
      std::get<Norm>(recipe.spec.q.steps[0]).eps = 1e-42f;  // zero to a caller that flushes
      recipe.values = Values::special;
      const Call call = make(recipe);
      const Call expected = run_reference(call);
      for (std::uint64_t mode : floating_modes()) {
        Call got = call;
        std::uint64_t after = 0;
        {
          const FloatingMode caller(mode);
          GetParam().run(got.spec, got.args, got.memory);
          after = FloatingMode::current();
        }
        ASSERT_EQ(after, mode) << "the mode of the caller was not restored";
        ASSERT_EQ(difference(expected, got), "") << "caller's mode " << mode;
      }
    }
}

}  // namespace
}  // namespace ropeline::conformance
