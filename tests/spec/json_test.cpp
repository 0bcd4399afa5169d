#include <gtest/gtest.h>

#include <string>

#include "ropeline/error.h"
#include "ropeline/spec.h"

namespace ropeline {
namespace {

TEST(SpecJson, PrintsWhatDiffersFromTheDefaults) {
  const Spec spec = qk_norm_rope({.q = 32, .k = 4, .head_dim = 128}, RmsNorm{.eps = 1e-5f},
                                 Rope::neox(CosSinRows{.rotary_dim = 128}), Rounding::model('A', 'r'));
  const std::string steps = R"("steps":[{"norm":{"eps":1e-05,"rounding":"inner"}},)"
                            R"({"rope":{"angles":{"rows":{"rotary_dim":128}},"rounding":"products","table":"dtype"}}])";
  EXPECT_EQ(spec.json(), R"({"head_dim":128,"q":{"heads":32,)" + steps + R"(},"k":{"heads":4,)" + steps + "}}");
}

// Every field away from its default, so that a field that the printer or the reader forgets shows.
Spec everything() {
  Scaling scaling{.kind = ScalingKind::longrope,
                  .factor = 2.5,
                  .original_length = 4096,
                  .seq_len = 8192,
                  .beta_fast = 31,
                  .beta_slow = 2,
                  .truncate = false,
                  .low_freq_factor = 1.5,
                  .high_freq_factor = 3.5,
                  .rotated_pairs = 3,
                  .short_factor = {1, 1.25},
                  .long_factor = {3, 0.1},
                  .attention_factor = 1.1};
  Spec spec;
  spec.head_dim = 64;
  spec.q = {
      .heads = 4,
      .steps = {Norm{.center = true,
                     .unit = SumUnit::sum,
                     .eps = 3e-7f,
                     .weight = WeightShape::row_per_head,
                     .bias = true,
                     .weight_offset = 0.1f,
                     .extent = Extent::all_heads,
                     .rounding = NormRounding::factor},
                Scale{.per_token = true, .per_head = true, .per_dim = true, .round = false}, Clamp{.bound = 8.1f}},
      .sink = PagedCache{.dtype = DType::fp8_e4m3, .also_output = true}};
  spec.k = {.heads = 2,
            .steps = {Rope{.style = Style::interleaved,
                           .angles = Frequencies{.base = 1e4, .rotary_dim = 4, .scaling = scaling},
                           .offset = 8,
                           .axes = {0, 2},
                           .inverse = true,
                           .rounding = RopeRounding::products,
                           .table = TableRounding::dtype}}};
  spec.v = {.heads = 2, .steps = {Rope::neox(CosSinRows{8, RowLayout::repeat, true})}};
  spec.activation = DType::fp16;
  spec.weight = DType::fp32;
  spec.table = DType::bf16;
  spec.positions = DType::int32;
  spec.alignment = 4;
  return spec;
}

TEST(SpecJson, ReadsWhatItPrints) {
  const Spec spec = everything();
  EXPECT_EQ(Spec::from_json(spec.json()), spec) << spec.json();
  EXPECT_EQ(Spec::from_json(spec.json()).json(), spec.json());
}

TEST(SpecJson, ReadsExplicitFrequenciesToTheBit) {
  Spec spec;
  const Frequencies explicit_ones{.rotary_dim = 6, .values = {1.0f, 0.1f, 1.17549435e-38f}};
  spec.q = {1, {Rope::neox(explicit_ones), Rope::neox(CosSinCache{6})}, {}};
  EXPECT_EQ(Spec::from_json(spec.json()), spec) << spec.json();
}

TEST(SpecJson, AnEmptyObjectIsTheDefaultSpec) { EXPECT_EQ(Spec::from_json("{}"), Spec{}); }

struct Bad {
  const char *json, *sentence;
};

class SpecJsonRefuses : public testing::TestWithParam<Bad> {};

TEST_P(SpecJsonRefuses, WithTheFieldAndTheValue) {
  try {
    Spec::from_json(GetParam().json);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
    EXPECT_STREQ(error.what(), GetParam().sentence);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sentences, SpecJsonRefuses,
    testing::Values(
        Bad{"[1", "spec: not JSON: [1"}, Bad{"[]", "spec: [] is not an object"},
        Bad{R"({"head_dm":3})",
            "head_dm: unknown field; known are head_dim, q, k, v, activation, weight, table, "
            "positions, alignment"},
        Bad{R"({"head_dim":1.5})", "head_dim: 1.5 is not a 32-bit integer"},
        Bad{R"({"head_dim":4294967296})", "head_dim: 4294967296 is not a 32-bit integer"},
        Bad{R"({"head_dim":18446744073709551615})", "head_dim: 18446744073709551615 is not a 32-bit integer"},
        Bad{R"({"activation":"float"})",
            R"(activation: "float" is not one of fp32, fp16, bf16, fp8_e4m3, int8, int32, int64)"},
        Bad{R"({"q":{"steps":[{"norm":{"eps":"a"}}]}})", R"(q.steps[0].norm.eps: "a" is not a finite fp32 number)"},
        Bad{R"({"q":{"steps":[{"norm":{"eps":null}}]}})", "q.steps[0].norm.eps: null is not a finite fp32 number"},
        Bad{R"({"q":{"steps":[{"norm":{"eps":-1e39}}]}})", "q.steps[0].norm.eps: -1e+39 is not a finite fp32 number"},
        Bad{R"({"k":{"steps":[{"rope":{"angles":{"frequencies":{"base":"NaN"}}}}]}})",
            R"(k.steps[0].rope.angles.frequencies.base: "NaN" is not a finite number)"},
        Bad{R"({"q":{"steps":[{"norm":{"bias":1}}]}})", "q.steps[0].norm.bias: 1 is not true or false"},
        Bad{R"({"q":{"steps":{}}})", "q.steps: {} is not a list"},
        Bad{R"({"q":{"steps":[{"nrm":{}}]}})",
            R"(q.steps[0]: {"nrm":{}} is not an object with one of norm, rope, scale, clamp)"},
        Bad{R"({"k":{"steps":[{"rope":{"axes":[256]}}]}})",
            "k.steps[0].rope.axes[0]: 256 is not an integer from 0 to 255"},
        Bad{R"({"v":{"sink":{"output":{"dtype":"int8"}}}})", "v.sink.output.dtype: unknown field; known are none"}));

}  // namespace
}  // namespace ropeline
