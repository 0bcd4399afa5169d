// Activation x weight x table x positions, for every source of angles.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Dtypes);

std::vector<Angles> every_angles(int rotary_dim) {
  std::vector<Angles> all = every_rows(rotary_dim);
  all.push_back(CosSinCache{rotary_dim});
  for (const Frequencies& f : every_frequencies(rotary_dim)) all.push_back(f);
  return all;
}

TEST_P(Dtypes, EveryCombination) {
  for (DType activation : {DType::bf16, DType::fp16, DType::fp32})
    for (DType weight : {activation, DType::fp32})
      for (DType table : {DType::fp32, DType::fp16, DType::bf16})
        for (DType positions : {DType::int32, DType::int64})
          for (const Angles& angles : every_angles(64)) {
            Recipe recipe{.spec = qk_norm_rope({.q = 4, .k = 1, .head_dim = 64}, RmsNorm{}, Rope::neox(angles))};
            recipe.spec.activation = activation, recipe.spec.weight = weight;
            recipe.spec.table = table, recipe.spec.positions = positions;
            ASSERT_TRUE(conforms(GetParam(), recipe));
          }
}

TEST_P(Dtypes, EveryRoundingWithEveryDtype) {
  for (DType type : {DType::bf16, DType::fp16, DType::fp32})
    for (Rounding rounding : every_rounding())
      for (Style style : {Style::neox, Style::interleaved})
        for (auto [head_dim, values] : {std::pair{64, Values::ordinary},
                                        {80, Values::special},
                                        {128, Values::special},
                                        {128, Values::ordinary},
                                        {256, Values::ordinary}}) {
          const Rope rope{.style = style, .angles = CosSinRows{head_dim}};
          Recipe recipe{.spec = qk_norm_rope({.q = 5, .k = 2, .head_dim = head_dim}, RmsNorm{}, rope, rounding)};
          recipe.spec = recipe.spec.with_dtype(type);
          recipe.values = values;
          ASSERT_TRUE(conforms_in_sweep(GetParam(), recipe));
        }
}

}  // namespace
}  // namespace ropeline::conformance
