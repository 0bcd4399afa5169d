// Every head_dim, and rotary_dims that divide it badly.

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(Dims);

Spec spec_of(int head_dim, int rotary_dim, Style style, Rounding rounding) {
  const Rope rope{.style = style, .angles = CosSinCache{rotary_dim}};
  return qk_norm_rope({.q = 3, .k = 2, .head_dim = head_dim}, RmsNorm{}, rope, rounding);
}

using Conforms = testing::AssertionResult(const Backend&, const Recipe&);

void sweep(const Backend& backend, int head_dim, int rotary_dim, Conforms& conforms = conforms_in_sweep) {
  for (Style style : {Style::neox, Style::interleaved})
    for (Rounding rounding : {Rounding::fused(), Rounding::model('A', 'r')})
      for (DType type : {DType::bf16, DType::fp32}) {
        Recipe recipe{.spec = spec_of(head_dim, rotary_dim, style, rounding).with_dtype(type)};
        recipe.tokens = 2;
        recipe.positions = Positions::table;
        ASSERT_TRUE(conforms(backend, recipe));
      }
}

TEST_P(Dims, EveryHeadDimFullyRotated) {
  for (int head_dim = 16; head_dim <= 512; head_dim += 8) sweep(GetParam(), head_dim, head_dim);
}

TEST_P(Dims, EveryHeadDimWithSlicesOfOddSizes) {
  for (int head_dim = 16; head_dim <= 512; head_dim += 8)
    for (int rotary_dim : {0, 2, head_dim / 2, head_dim / 4 * 2 + 2, head_dim - 2})
      sweep(GetParam(), head_dim, rotary_dim);
}

TEST_P(Dims, SlicesOfRealModels) {
  const std::pair<int, int> shapes[] = {{160, 40}, {128, 96}, {128, 64}, {128, 32}, {256, 64}, {64, 32},       {80, 32},
                                        {96, 48},  {128, 0},  {128, 2},  {192, 64}, {512, 64}, {576 - 64, 512}};
  for (const auto& [head_dim, rotary_dim] : shapes) sweep(GetParam(), head_dim, rotary_dim, conforms);
}

TEST_P(Dims, EveryRotaryDimOfOneHead) {
  for (int rotary_dim = 0; rotary_dim <= 128; rotary_dim += 2) sweep(GetParam(), 128, rotary_dim);
}

// What others' kernels got wrong: rotary parts whose lanes fill a warp (a mask of 1u << 32) or leave some of its lanes
// without a rotation (a shuffle that those do not reach: garbage at 96 of 128), with one or several heads in a warp,
// and heads that do not fill the last one.
TEST_P(Dims, RotaryLanesThatFillAWarpOrPartOfIt) {
  for (const auto& [head_dim, rotary_dim] : {std::pair{128, 128}, {128, 96}, {128, 64}, {256, 64}, {64, 64}, {512, 96}})
    for (const Angles& angles : {Angles{Frequencies::theta(1e6, rotary_dim)}, Angles{CosSinRows{rotary_dim}}})
      for (Style style : {Style::neox, Style::interleaved})
        for (std::int64_t tokens : {1, 5}) {
          const Rope rope{.style = style, .angles = angles};
          Recipe recipe{.spec = qk_norm_rope({.q = 5, .k = 3, .head_dim = head_dim}, RmsNorm{}, rope)};
          recipe.tokens = tokens, recipe.positions = Positions::far;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
}

// Frequencies, fused, whole rotation: what the fastest form of the CUDA kernel is for, which takes a multiple of 12
// heads.
TEST_P(Dims, LayersOfRealModels) {
  const Heads layers[] = {{32, 4, 128}, {16, 8, 128}, {32, 8, 128}, {10, 2, 64}, {20, 4, 256}, {4, 1, 256}};
  for (const Heads& heads : layers)
    for (Style style : {Style::neox, Style::interleaved})
      for (std::int64_t tokens : {1, 3, 41}) {
        const Rope rope{.style = style, .angles = Frequencies::theta(1e6, heads.head_dim)};
        Recipe recipe{.spec = qk_norm_rope(heads, RmsNorm{}, rope)};
        recipe.tokens = tokens, recipe.layout = Layout::packed;
        recipe.values = Values::special, recipe.positions = Positions::far;
        ASSERT_TRUE(conforms(GetParam(), recipe));
      }
}

TEST_P(Dims, HeadCounts) {
  for (int head_dim : {64, 72, 128, 256})
    for (int q : {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 64, 127, 128, 129, 130, 257})
      for (int k : {0, 1, 2, 5, 16}) {
        if (q + k == 0) continue;
        Recipe recipe{.spec = spec_of(head_dim, 64, Style::neox, Rounding::fused())};
        recipe.spec.q.heads = q, recipe.spec.k.heads = k;
        ASSERT_TRUE(conforms_in_sweep(GetParam(), recipe));
      }
}

}  // namespace
}  // namespace ropeline::conformance
