// Random specs and calls. The seed of a run is printed; ROPELINE_SEED repeats it.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Property);

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kCases = 200, kFullCases = 1000;  // a sanitizer slows each of them ten times
#else
constexpr int kCases = 800, kFullCases = 7000;
#endif

TEST_P(Property, AnyCallOfAnySpecGivesTheReferencesBits) {
  const int cases = full_sweep() ? kFullCases : kCases;
  for (int i = 0; i < cases; ++i) {
    Random random = random_of(run_seed(), i);
    ASSERT_TRUE(conforms_in_sweep(GetParam(), random_recipe(random))) << "case " << i;
  }
}

/// The shapes of real models: heads that fill vectors and groups of rows, roundings of models, bf16 mostly. What a fast
/// path assumes about the sizes of numbers is broken by single heads, weights and angles.
Recipe model_recipe(Random& random) {
  const int head_dim = random.pick({64, 128, 128, 256});
  const Norm norm{.eps = random.pick({1e-6f, 1e-5f, 1e-30f}), .weight_offset = random.pick({0.0f, 1.0f})};
  const Rounding rounding = random.pick(every_rounding());
  Rope rope{.style = random.pick({Style::neox, Style::interleaved})};
  const int rotary_dim = random.chance(0.7) ? head_dim : head_dim / 2;
  rope.angles = random.pick<Angles>({Frequencies::theta(1e6, rotary_dim), CosSinCache{rotary_dim},
                                     CosSinRows{rotary_dim, RowLayout::dup}, CosSinRows{rotary_dim, RowLayout::full}});
  Recipe r{.spec = qk_norm_rope(
               {.q = 1 + random.below(random.chance(0.1) ? 300 : 40), .k = random.below(9), .head_dim = head_dim}, norm,
               rope, rounding)};
  r.spec = r.spec.with_dtype(random.pick({DType::bf16, DType::bf16, DType::bf16, DType::fp16, DType::fp32}));
  if (random.chance(0.2)) r.spec.weight = DType::fp32;
  r.spec.table = random.pick({DType::bf16, DType::fp32});
  r.tokens = 1 + random.below(4);
  r.layout = random.pick({Layout::dense, Layout::packed});
  r.values = random.chance(0.8) ? Values::special : Values::ordinary;
  r.table_values = random.chance(0.2) ? Values::special : Values::ordinary;
  r.seed = random.bits();
  return r;
}

TEST_P(Property, ModelShapesWithNumbersOfEverySize) {
  const int cases = full_sweep() ? kFullCases : kCases;
  for (int i = 0; i < cases; ++i) {
    Random random = random_of(run_seed() + 1, i);
    ASSERT_TRUE(conforms_in_sweep(GetParam(), model_recipe(random))) << "case " << i;
  }
}

}  // namespace
}  // namespace ropeline::conformance
