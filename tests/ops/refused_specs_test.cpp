// What a spec may not be, each with its sentence: field, value and what would be right.

#include <gtest/gtest.h>

#include <limits>

#include "ropeline/plan.h"

namespace ropeline {
namespace {

struct Bad {
  std::string sentence;
  void (*spoil)(Spec&);
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.sentence; }

Norm& norm(Spec& spec) { return std::get<Norm>(spec.q.steps[0]); }
Rope& rope(Spec& spec) { return std::get<Rope>(spec.q.steps[1]); }

Spec good() {
  return qk_norm_rope({.q = 8, .k = 2, .head_dim = 128}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, 128)));
}

TEST(GoodSpec, IsSupported) { EXPECT_EQ(supports(good(), Device::cpu()).reason, ""); }

class RefusedSpecs : public testing::TestWithParam<Bad> {};

TEST_P(RefusedSpecs, ByPrepareTryPrepareAndSupportsWithOneSentence) {
  Spec spec = good();
  GetParam().spoil(spec);
  try {
    prepare(spec, Device::cpu());
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), GetParam().sentence);
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  }
  EXPECT_EQ(supports(spec, Device::cpu()).reason, GetParam().sentence);
  const PrepareResult result = try_prepare(spec, Device::cpu());
  EXPECT_FALSE(result);
  EXPECT_EQ(result.reason, GetParam().sentence);
}

INSTANTIATE_TEST_SUITE_P(
    Heads, RefusedSpecs,
    testing::Values(Bad{"head_dim: 129 must be a multiple of 8 from 16 to 512", [](Spec& s) { s.head_dim = 129; }},
                    Bad{"head_dim: 0 must be a multiple of 8 from 16 to 512", [](Spec& s) { s.head_dim = 0; }},
                    Bad{"head_dim: 8 must be a multiple of 8 from 16 to 512", [](Spec& s) { s.head_dim = 8; }},
                    Bad{"head_dim: 520 must be a multiple of 8 from 16 to 512", [](Spec& s) { s.head_dim = 520; }},
                    Bad{"head_dim: 100 must be a multiple of 8 from 16 to 512", [](Spec& s) { s.head_dim = 100; }},
                    Bad{"q.heads: -1 is not from 0 to 65536", [](Spec& s) { s.q.heads = -1; }},
                    Bad{"k.heads: 65537 is not from 0 to 65536", [](Spec& s) { s.k.heads = 65537; }},
                    Bad{"spec: no stream has heads; give q, k or v at least one",
                        [](Spec& s) { s.q.heads = s.k.heads = 0; }}));

INSTANTIATE_TEST_SUITE_P(
    Dtypes, RefusedSpecs,
    testing::Values(Bad{"activation: int8 must be fp32, fp16 or bf16", [](Spec& s) { s.activation = DType::int8; }},
                    Bad{"weight: fp16 must be bf16 (the activation dtype) or fp32",
                        [](Spec& s) { s.weight = DType::fp16; }},
                    Bad{"table: fp8_e4m3 must be fp32, fp16 or bf16", [](Spec& s) { s.table = DType::fp8_e4m3; }},
                    Bad{"positions: fp32 must be int32 or int64", [](Spec& s) { s.positions = DType::fp32; }},
                    Bad{"alignment: 3 must be 1, 2, 4, 8 or 16", [](Spec& s) { s.alignment = 3; }},
                    Bad{"alignment: 32 must be 1, 2, 4, 8 or 16", [](Spec& s) { s.alignment = 32; }}));

INSTANTIATE_TEST_SUITE_P(
    Norms, RefusedSpecs,
    testing::Values(Bad{"q.norm: eps 0 must be a finite number above 0", [](Spec& s) { norm(s).eps = 0; }},
                    Bad{"q.norm: eps -1e-06 must be a finite number above 0", [](Spec& s) { norm(s).eps = -1e-6f; }},
                    Bad{"q.norm: eps nan must be a finite number above 0",
                        [](Spec& s) { norm(s).eps = std::numeric_limits<float>::quiet_NaN(); }},
                    Bad{"q.norm: eps inf must be a finite number above 0",
                        [](Spec& s) { norm(s).eps = std::numeric_limits<float>::infinity(); }},
                    Bad{"q.norm: weight_offset inf must be finite",
                        [](Spec& s) { norm(s).weight_offset = std::numeric_limits<float>::infinity(); }},
                    Bad{"q.norm: bias needs a weight, weight is none",
                        [](Spec& s) { norm(s).weight = WeightShape::none, norm(s).bias = true; }},
                    Bad{"q.norm: weight_offset 1 needs a weight",
                        [](Spec& s) { norm(s).weight = WeightShape::none, norm(s).weight_offset = 1; }},
                    Bad{"q.steps: 2 norms, a stream has at most one", [](Spec& s) { s.q.steps.push_back(norm(s)); }},
                    Bad{"k.norm: eps 0 must be a finite number above 0",
                        [](Spec& s) { std::get<Norm>(s.k.steps[0]).eps = 0; }}));

INSTANTIATE_TEST_SUITE_P(
    Ropes, RefusedSpecs,
    testing::Values(
        Bad{"q.rope: rotary_dim 130 exceeds head_dim 128", [](Spec& s) { rope(s).angles = CosSinCache{130}; }},
        Bad{"q.rope: rotary_dim 63 must be even and at least 0", [](Spec& s) { rope(s).angles = CosSinCache{63}; }},
        Bad{"q.rope: rotary_dim -2 must be even and at least 0", [](Spec& s) { rope(s).angles = CosSinRows{-2}; }},
        Bad{"q.rope: offset 8 with rotary_dim 128 leaves head_dim 128", [](Spec& s) { rope(s).offset = 8; }},
        Bad{"q.rope: offset -2 with rotary_dim 128 leaves head_dim 128", [](Spec& s) { rope(s).offset = -2; }},
        Bad{"q.rope: axes has 3 entries, must be 64 (one for each frequency) or 128",
            [](Spec& s) {
              rope(s).axes = {0, 1, 2};
            }},
        Bad{"q.rope: base 0 must be a finite number of at least 1",
            [](Spec& s) { rope(s).angles = Frequencies::theta(0, 128); }},
        Bad{"q.rope: values[1] inf must be finite",
            [](Spec& s) {
              rope(s).angles = Frequencies::inv_freq({1, std::numeric_limits<float>::infinity(), 1});
            }},
        Bad{"q.rope: factor 0.5 must be from 1 to 1e+15",
            [](Spec& s) { rope(s).angles = Frequencies::theta(1e4, 128, Scaling::linear(0.5)); }},
        Bad{"q.rope: short_factor has 1 entries, must be 64 (rotary_dim / 2)",
            [](Spec& s) { rope(s).angles = Frequencies::theta(1e4, 128, Scaling::longrope({1}, {1}, 2, 4096, 4096)); }},
        Bad{"q.steps: 2 ropes, a stream has at most one", [](Spec& s) { s.q.steps.push_back(rope(s)); }},
        Bad{"k.clamp: bound 0 must be above 0", [](Spec& s) { s.k.steps.push_back(Clamp{}); }}));

// --- legal, but not run here: the kind is another one, the sentence says what ---------------------------------------

class UnsupportedSpecs : public testing::TestWithParam<Bad> {};

TEST_P(UnsupportedSpecs, SayWhatIsNotRun) {
  Spec spec = good();
  GetParam().spoil(spec);
  EXPECT_EQ(supports(spec, Device::cpu()).reason, GetParam().sentence);
  EXPECT_EQ(try_prepare(spec, Device::cpu()).reason, GetParam().sentence);
  try {
    prepare(spec, Device::cpu());
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), GetParam().sentence);
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Steps, UnsupportedSpecs,
    testing::Values(
        Bad{"q.norm: center (LayerNorm) is not run by this version", [](Spec& s) { norm(s) = LayerNorm{}; }},
        Bad{"q.norm: bias is not run by this version", [](Spec& s) { norm(s).bias = true; }},
        Bad{"q.norm: weight row_per_head is not run by this version",
            [](Spec& s) { norm(s).weight = WeightShape::row_per_head; }},
        Bad{"q.norm: extent all_heads is not run by this version", [](Spec& s) { norm(s).extent = Extent::all_heads; }},
        Bad{"q.rope: axes (M-RoPE) is not run by this version",
            [](Spec& s) { rope(s).axes = std::vector<std::uint8_t>(64, 0); }},
        Bad{"q.rope: offset 64 is not run by this version",
            [](Spec& s) { rope(s).angles = CosSinCache{64}, rope(s).offset = 64; }},
        Bad{"q.rope: rows per_head is not run by this version",
            [](Spec& s) {
              rope(s).angles = CosSinRows{128, RowLayout::half, true};
            }},
        Bad{"k.scale is not run by this version", [](Spec& s) { s.k.steps.push_back(Scale{}); }},
        Bad{"k.clamp is not run by this version", [](Spec& s) { s.k.steps.push_back(Clamp{1}); }},
        Bad{"q.steps: rope before norm is not run by this version",
            [](Spec& s) { std::swap(s.q.steps[0], s.q.steps[1]); }},
        Bad{"q.sink: paged_cache is not run by this version", [](Spec& s) { s.q.sink = PagedCache{}; }},
        Bad{"v: a third stream is not run by this version", [](Spec& s) { s.v.heads = 2; }},
        Bad{"k.rope: angles that differ from q.rope is not run by this version",
            [](Spec& s) { rope(s).angles = CosSinCache{128}; }},
        Bad{"k.rope: a style that differs from q.rope is not run by this version",
            [](Spec& s) { rope(s).style = Style::interleaved; }}));

TEST(UnsupportedDevices, AreNamed) {
  EXPECT_TRUE(supports(good(), Device::cuda(1000)).reason.starts_with("cuda:1000: "));  // no driver, or fewer devices
}

}  // namespace
}  // namespace ropeline
