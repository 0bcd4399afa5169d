#include "ropeline/spec.h"

#include <gtest/gtest.h>

#include <unordered_set>

#include "ropeline/error.h"

namespace ropeline {
namespace {

Spec qwen3() {
  return qk_norm_rope({.q = 32, .k = 4, .head_dim = 128}, RmsNorm{.eps = 1e-6f},
                      Rope::neox(Frequencies::theta(1e6, 128)));
}

TEST(Spec, ShorthandGivesBothStreamsTheSameTwoSteps) {
  const Spec spec = qwen3();
  EXPECT_EQ(spec.head_dim, 128);
  EXPECT_EQ(spec.q.heads, 32);
  EXPECT_EQ(spec.k.heads, 4);
  EXPECT_EQ(spec.v.heads, 0);
  EXPECT_EQ(spec.q.steps, spec.k.steps);
  ASSERT_EQ(spec.q.steps.size(), 2u);
  EXPECT_EQ(spec.q.norm()->eps, 1e-6f);
  EXPECT_EQ(spec.q.rope()->rotary_dim(), 128);
  EXPECT_TRUE(spec.v.steps.empty());
}

TEST(Spec, ShorthandLeavesAnAbsentStreamWithoutSteps) {
  const Spec spec = qk_norm_rope({.q = 8, .head_dim = 64}, RmsNorm{}, Rope::neox(CosSinRows{.rotary_dim = 64}));
  EXPECT_TRUE(spec.k.steps.empty());
}

TEST(Spec, DefaultRoundingIsFused) {
  const Spec spec = qwen3();
  EXPECT_EQ(spec.q.norm()->rounding, NormRounding::none);
  EXPECT_EQ(spec.q.rope()->rounding, RopeRounding::end);
  EXPECT_EQ(spec.q.rope()->table, TableRounding::fp32);
  EXPECT_EQ(spec, spec.with_rounding(Rounding::fused()));
}

TEST(Spec, RoundingOfModelsFollowsTheLetters) {
  using N = NormRounding;
  using R = RopeRounding;
  using T = TableRounding;
  EXPECT_EQ(Rounding::model('A', 'r'), (Rounding{N::inner, R::products, T::dtype}));
  EXPECT_EQ(Rounding::model('G', 'm'), (Rounding{N::end, R::end, T::dtype}));
  EXPECT_EQ(Rounding::model('B', 'f'), (Rounding{N::end, R::end, T::fp32}));
  EXPECT_EQ(Rounding::model('U', 'f').norm, N::end);
  EXPECT_EQ(Rounding::model('F', 'f').norm, N::factor);
  EXPECT_THROW(Rounding::model('Z', 'r'), Error);
  EXPECT_THROW(Rounding::model('A', 'z'), Error);
}

TEST(Spec, WithDtypeChangesActivationAndWeightOnly) {
  Spec expected = qwen3();
  expected.activation = expected.weight = DType::fp16;
  EXPECT_EQ(qwen3().with_dtype(DType::fp16), expected);
}

TEST(Spec, RotaryDimComesFromTheAngles) {
  EXPECT_EQ(Rope::neox(Frequencies::theta(1e4, 96)).rotary_dim(), 96);
  EXPECT_EQ(Rope::neox(CosSinCache{.rotary_dim = 64}).rotary_dim(), 64);
  EXPECT_EQ(Rope::interleaved(CosSinRows{.rotary_dim = 32}).rotary_dim(), 32);
}

TEST(Spec, IdIsStableAndTellsSpecsApart) {
  EXPECT_EQ(qwen3().id(), qwen3().id());
  std::unordered_set<std::int64_t> ids;
  Spec spec = qwen3();
  for (spec.q.heads = 1; spec.q.heads <= 1000; ++spec.q.heads) {
    EXPECT_GE(spec.id(), 0);
    ids.insert(spec.id());
  }
  EXPECT_EQ(ids.size(), 1000u);
}

}  // namespace
}  // namespace ropeline
