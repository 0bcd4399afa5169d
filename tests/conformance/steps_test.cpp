// The lists of steps, the kinds of norm and rope, and every scaling of the frequencies.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Steps);

std::vector<Norm> every_norm() {
  std::vector<Norm> all;
  for (NormRounding rounding : {NormRounding::none, NormRounding::end, NormRounding::inner, NormRounding::factor})
    for (SumUnit unit : {SumUnit::mean, SumUnit::sum})
      for (float eps : {1e-6f, 1e-42f, 3.0f}) {
        for (float offset : {0.0f, 1.0f, -0.375f})
          all.push_back({.unit = unit, .eps = eps, .weight_offset = offset, .rounding = rounding});
        all.push_back({.unit = unit, .eps = eps, .weight = WeightShape::none, .rounding = rounding});
      }
  return all;
}

std::vector<std::vector<Step>> every_list(const Norm& norm, const Rope& rope) {
  return {{}, {norm}, {rope}, {norm, rope}};
}

TEST_P(Steps, EveryNormAloneAndBeforeARope) {
  for (const Norm& norm : every_norm())
    for (bool rotated : {false, true})
      for (DType type : {DType::bf16, DType::fp32}) {
        Recipe recipe;
        recipe.spec.head_dim = 96;
        recipe.spec.q = {3, {norm}};
        if (rotated) recipe.spec.q.steps.push_back(Rope::neox(CosSinCache{64}));
        recipe.spec = recipe.spec.with_dtype(type);
        recipe.values = Values::special;
        ASSERT_TRUE(conforms_in_sweep(GetParam(), recipe));
      }
}

TEST_P(Steps, QueryAndKeyWithDifferentLists) {
  const Rope rope = Rope::neox(Frequencies::theta(1e4, 48));
  for (const auto& q : every_list(RmsNorm{}, rope))
    for (const auto& k : every_list(RmsNorm{.eps = 1e-5f, .weight_offset = 1}, rope)) {
      Recipe recipe;
      recipe.spec.head_dim = 64;
      recipe.spec.q = {4, q}, recipe.spec.k = {2, k};
      ASSERT_TRUE(conforms(GetParam(), recipe));
      recipe.spec.k.heads = 0;
      ASSERT_TRUE(conforms(GetParam(), recipe));
    }
}

TEST_P(Steps, QueryAndKeyThatRoundDifferently) {
  for (Rounding a : every_rounding())
    for (Rounding b : every_rounding()) {
      const Rope rope = Rope::interleaved(CosSinCache{64});
      Recipe recipe{.spec = qk_norm_rope({.q = 2, .k = 2, .head_dim = 64}, RmsNorm{}, rope, a)};
      recipe.spec.k = recipe.spec.with_rounding(b).k;
      ASSERT_TRUE(conforms_in_sweep(GetParam(), recipe));
    }
}

TEST_P(Steps, EveryScalingInBothStylesAndDirections) {
  for (int rotary_dim : {32, 96, 128})
    for (const Frequencies& frequencies : every_frequencies(rotary_dim))
      for (Style style : {Style::neox, Style::interleaved})
        for (bool inverse : {false, true})
          for (Positions positions : {Positions::counting, Positions::far, Positions::edges}) {
            const Rope rope{.style = style, .angles = frequencies, .inverse = inverse};
            Recipe recipe{.spec = qk_norm_rope({.q = 2, .k = 1, .head_dim = 128}, RmsNorm{}, rope)};
            recipe.tokens = 9;
            recipe.positions = positions;
            ASSERT_TRUE(conforms(GetParam(), recipe));
          }
}

TEST_P(Steps, EveryRowLayoutInBothStyles) {
  for (int rotary_dim : {2, 40, 64, 96, 128})
    for (const Angles& rows : every_rows(rotary_dim))
      for (Style style : {Style::neox, Style::interleaved})
        for (Rounding rounding : every_rounding()) {
          const Rope rope{.style = style, .angles = rows};
          Recipe recipe{.spec = qk_norm_rope({.q = 2, .k = 1, .head_dim = 128}, RmsNorm{}, rope, rounding)};
          recipe.spec.table = DType::bf16;
          ASSERT_TRUE(conforms_in_sweep(GetParam(), recipe));
        }
}

}  // namespace
}  // namespace ropeline::conformance
