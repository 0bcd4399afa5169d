// Variants, their names, and the launch rule: numbers only, so they are tested everywhere.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

constexpr int kMultiprocessors = 132;  // an H100's

Spec spec_of(int q, int k, int head_dim, int rotary_dim, Style style = Style::neox) {
  return ropeline::qk_norm_rope({q, k, head_dim}, RmsNorm{},
                                {.style = style, .angles = Frequencies::theta(1e6, rotary_dim)});
}

/// Packed q and k of so many tokens, in place, and nothing else that a launch looks at.
QkNormRopeParams call_of(const Spec& spec, std::int64_t tokens) {
  const std::int64_t row = (spec.q.heads + 2 * spec.k.heads) * spec.head_dim;
  static char memory[1 << 16];
  QkNormRopeParams p{};
  p.q.in = p.q.out = memory;
  p.q.in_token = p.q.out_token = row;
  p.q.in_head = p.q.out_head = spec.head_dim;
  p.k = p.q;
  p.k.in = p.k.out = memory + spec.q.heads * spec.head_dim * size_of(spec.activation);
  p.batches = 1, p.tokens = tokens;
  p.position_token = 1;
  return p;
}

/// "run x heads", grid and block of the launch of a call.
std::string shape_of(const Spec& spec, const QkNormRopeParams& call) {
  const auto all = variants(spec);
  const Launch l = LaunchRule(all, kMultiprocessors)(call);
  const kernel::Form& f = all[l.variant].form;
  std::string text = std::to_string(f.run) + "x" + std::to_string(f.heads);
  for (const unsigned n : l.grid) text.append(" ").append(std::to_string(n));
  return text.append(" of ").append(std::to_string(l.block[0])).append(" ").append(std::to_string(l.block[1]));
}

std::string shape_of(const Spec& spec, std::int64_t tokens) { return shape_of(spec, call_of(spec, tokens)); }

bool has_six_heads(int q, int k, int head_dim) {
  return std::ranges::any_of(variants(spec_of(q, k, head_dim, head_dim)),
                             [](const kernel::Variant& v) { return v.form.heads == 6; });
}

// Elsewhere its 80 registers do not suffice: kernels_compile_test would see the spills of those that it compiles.
TEST(Variants, SixHeadsOnlyWhereEveryLaneWorksAndBlocksDivideAToken) {
  for (const int head_dim : {64, 128, 256}) EXPECT_TRUE(has_six_heads(32, 4, head_dim)) << head_dim;
  for (const int head_dim : {96, 160, 192}) EXPECT_FALSE(has_six_heads(32, 4, head_dim)) << "a lane without a run";
  EXPECT_FALSE(has_six_heads(20, 4, 256)) << "four warps in blocks of three";
  EXPECT_FALSE(has_six_heads(32, 8, 128)) << "40 heads are no multiple of 12";
}

TEST(LaunchRule, MoreTokensGetMoreHeadsALane) {
  const Spec spec = spec_of(32, 4, 128, 128);
  EXPECT_EQ(shape_of(spec, 1), "2x1 9 1 1 of 128 1");
  EXPECT_EQ(shape_of(spec, 18), "2x1 9 18 1 of 128 1");
  EXPECT_EQ(shape_of(spec, 19), "4x1 3 19 1 of 192 1");
  EXPECT_EQ(shape_of(spec, 176), "4x1 3 176 1 of 192 1");
  EXPECT_EQ(shape_of(spec, 177), "4x2 3 177 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 704), "4x2 3 704 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 705), "4x6 1 705 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 1056), "4x6 1 1056 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 1057), "4x2 3 1057 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 65535), "4x2 3 65535 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 65536), "4x2 65536 1 1 of 288 1") << "tokens of a packed form are a grid.y";
  EXPECT_EQ(shape_of(spec, 2147483647), "4x2 2147483647 1 1 of 288 1");
}

// docs/kernel.md: what a packed form reads first lies in one line of 64 bytes (arguments begin 16 bytes into one), and
// the stride shares its 8 bytes with nothing that is always read.
TEST(Argument, WhatAPackedFormReadsFirstIsALineAndTheStrideIsReadAlone) {
  using Launch = kernel::QkNormRopeLaunch;
  EXPECT_LE(offsetof(Launch, packed_token) + sizeof(Launch::packed_token), 48u);
  EXPECT_NE(offsetof(Launch, packed_token) / 8, offsetof(Launch, packed_eps) / 8);
  EXPECT_EQ(offsetof(Launch, packed_token) / 8, offsetof(Launch, factor) / 8);
}

// It may be any number: one that overflows in bytes, or that no aligned form could take.
TEST(Params, AStrideThatIsNeverTakenIsNone) {
  alignas(16) static std::byte memory[4096];
  const auto view = [](std::initializer_list<std::int64_t> shape, std::initializer_list<std::int64_t> strides,
                       DType type) { return TensorView(memory, type, shape, strides); };
  const std::int64_t wild = (std::int64_t{1} << 62) + 1;
  const Args args{.q = view({1, 1, 128}, {wild, wild, 1}, DType::bf16),
                  .k = view({1, 1, 128}, {wild, wild, 1}, DType::bf16),
                  .positions = view({1}, {wild}, DType::int32),
                  .cos = view({1, 64}, {wild, 1}, DType::fp32),
                  .sin = view({1, 64}, {wild, 1}, DType::fp32)};
  const QkNormRopeParams p = params(args);
  for (const std::int64_t stride :
       {p.q.in_token, p.q.in_head, p.q.out_token, p.q.out_head, p.k.in_token, p.position_token, p.table_row})
    EXPECT_EQ(stride, 0);
}

// A block of a packed form is of one token: five heads, two a lane, would be two warps.
TEST(LaunchRule, FewHeadsHaveNoPackedFormOfTwo) {
  const Spec spec = spec_of(4, 1, 128, 128);
  EXPECT_EQ(shape_of(spec, 132), "2x1 1 132 1 of 160 1");
  EXPECT_EQ(shape_of(spec, 133), "4x1 1 133 1 of 96 1");
  EXPECT_EQ(shape_of(spec, 1268), "4x2 634 1 1 of 64 2");
}

TEST(LaunchRule, WhatIsNotPackedHasOtherForms) {
  const Spec spec = spec_of(32, 4, 128, 128);
  alignas(16) static char elsewhere[64];
  const auto shape = [&](std::int64_t tokens, auto change) {
    QkNormRopeParams p = call_of(spec, tokens);
    change(p);
    return shape_of(spec, p);
  };
  const auto apart = [](QkNormRopeParams& p) { p.k.in = p.k.out = elsewhere; };
  EXPECT_EQ(shape(1, apart), "2x1 1 9 1 of 128 1");
  EXPECT_EQ(shape(19, apart), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(705, apart), "4x2 705 3 1 of 96 1");
  EXPECT_EQ(shape(19, [](QkNormRopeParams& p) { p.q.out = elsewhere; }), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(19, [](QkNormRopeParams& p) { p.k.out_token += 8; }), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(19, [](QkNormRopeParams& p) { p.k.in_head = p.k.out_head = 256; }), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(19, [](QkNormRopeParams& p) { p.k.in_token = p.k.out_token = 5128; }), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(19, [](QkNormRopeParams& p) { p.positions = elsewhere, p.position_token = 2; }),
            "4x2 19 3 1 of 96 1");
  const auto row = [](std::int64_t bytes) {
    return [=](QkNormRopeParams& p) {
      for (StreamParams* s : {&p.q, &p.k}) s->in_token = s->out_token = bytes / 2;
    };
  };
  EXPECT_EQ(shape(19, row(2147483646)), "4x1 3 19 1 of 192 1");
  EXPECT_EQ(shape(19, row(2147483648)), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(19, row(-9216)), "4x2 19 3 1 of 96 1");
  EXPECT_EQ(shape(1, row(-9216)), "2x1 9 1 1 of 128 1");  // no second token
}

TEST(LaunchRule, StreamsThatDifferAreNeverPacked) {
  Spec spec = spec_of(32, 4, 128, 128);
  std::get<Norm>(spec.k.steps[0]).eps = 1e-5f;
  for (const auto& v : variants(spec)) EXPECT_FALSE(v.form.packed);
  EXPECT_EQ(shape_of(spec, 1), "2x1 1 9 1 of 128 1");
  EXPECT_EQ(shape_of(spec, 19), "4x1 19 3 1 of 192 1");
  EXPECT_EQ(shape_of(spec, 705), "4x2 705 3 1 of 96 1");
}

TEST(LaunchRule, BatchesThatAreNoTokensHaveOneFormAndCountTogether) {
  const Spec spec = spec_of(32, 4, 128, 128);
  const auto shape = [&](std::int64_t tokens, std::int64_t batches) {
    QkNormRopeParams p = call_of(spec, tokens);
    p.batches = batches;
    return shape_of(spec, p);
  };
  EXPECT_EQ(shape(5, 2), "4x2 5 3 2 of 96 1");
  EXPECT_EQ(shape(1000, 2), "4x2 1000 3 2 of 96 1");
  EXPECT_EQ(shape(1000, 3), "4x2 1000 1 3 of 288 1");
}

TEST(LaunchRule, TokensWithFewHeadsShareABlock) {
  EXPECT_EQ(shape_of(spec_of(2, 1, 64, 64), 100000), "4x2 50000 1 1 of 64 2");
  EXPECT_EQ(shape_of(spec_of(2, 0, 64, 64), 100001), "4x2 25001 1 1 of 32 4");
}

TEST(LaunchRule, ACountOfWarpsWithoutDivisorHasATail) {
  const auto all = variants(spec_of(17, 0, 128, 128));
  EXPECT_TRUE(all[0].form.tail);
  EXPECT_EQ(shape_of(spec_of(17, 0, 128, 128), 1), "2x1 5 1 1 of 128 1");
}

TEST(Variants, TheRunFollowsAlignmentAndRotaryPart) {
  const auto runs = [](Spec spec, int alignment) {
    spec.alignment = alignment;
    std::string text;
    for (const auto& v : variants(spec)) text += std::to_string(v.form.run) + "/" + std::to_string(v.form.access) + " ";
    return text;
  };
  EXPECT_EQ(runs(spec_of(3, 1, 128, 128), 16), "2/2 4/4 4/4 2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 256, 256), 16), "4/4 4/4 2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 128), 4), "2/2 2/2 2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 128), 2), "2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 100), 16), "2/2 2/2 2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 100, Style::interleaved), 16), "2/2 4/4 4/4 2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 6), 16), "2/1 ");
  EXPECT_EQ(runs(spec_of(3, 1, 128, 6, Style::interleaved), 16), "2/2 2/2 2/1 ");
}

TEST(Variants, ANameIsTheTemplateArgument) {
  EXPECT_EQ(kernel_name(variants(spec_of(32, 4, 128, 64))[0]),
            "ropeline::kernel::qk_norm_rope<ropeline::kernel::Variant{.head_dim=128,.rotary_dim=64,"
            ".source=ropeline::kernel::Source::turns,.wide_positions=true,"
            ".q={.heads=32,.norm={.present=true,.weight=true},.rope={.present=true}},"
            ".k={.heads=4,.norm={.present=true,.weight=true},.rope={.present=true}},.form={.run=2,.access=2,.packed="
            "true,.threads=128}}>");
}

TEST(Variants, NumbersThatShapeNoCodeAreNotInTheName) {
  Spec a = spec_of(32, 4, 128, 128), b = a;
  for (StreamSpec* s : {&b.q, &b.k}) {
    std::get<Norm>(s->steps[0]).eps = 1e-5f;
    std::get<Rope>(s->steps[1]).angles = Frequencies::theta(1e4, 128);
  }
  EXPECT_EQ(kernel_name(variants(a)[0]), kernel_name(variants(b)[0]));
  for (StreamSpec* s : {&b.q, &b.k}) std::get<Norm>(s->steps[0]).eps = 1e-42f;
  EXPECT_NE(kernel_name(variants(a)[0]), kernel_name(variants(b)[0]));
}

TEST(Merged, BatchesBecomeTokensWhereStridesAllowIt) {
  const Spec spec = spec_of(4, 2, 64, 64);
  QkNormRopeParams p = call_of(spec, 10);
  p.batches = 3;
  for (StreamParams* s : {&p.q, &p.k}) s->in_batch = s->out_batch = 10 * s->in_token;
  p.position_batch = 10;
  EXPECT_EQ(merged(p).batches, 1);
  EXPECT_EQ(merged(p).tokens, 30);
  p.position_batch = 0;  // shared by the batches
  EXPECT_EQ(merged(p).batches, 3);
  p.tokens = 1;
  EXPECT_EQ(merged(p).tokens, 3);
  EXPECT_EQ(merged(p).position_token, 0);
}

TEST(Fits, WeightsAndTablesMustBeAligned) {
  Spec spec = spec_of(4, 2, 64, 64);
  for (StreamSpec* s : {&spec.q, &spec.k}) std::get<Rope>(s->steps[1]).angles = CosSinCache{64};
  const auto all = variants(spec);
  alignas(16) float memory[8] = {};
  QkNormRopeParams p = call_of(spec, 10);
  p.cos = memory, p.sin = memory, p.table_row = 64, p.q.weight = memory, p.k.weight = memory;
  EXPECT_TRUE(fits(all[1], p));
  QkNormRopeParams odd = p;
  odd.k.weight = reinterpret_cast<char*>(memory) + 2;
  EXPECT_FALSE(fits(all[1], odd));
  EXPECT_TRUE(fits(all.back(), odd));
  odd = p, odd.table_row = 65;
  EXPECT_FALSE(fits(all[1], odd));
  const Launch l = LaunchRule(all, kMultiprocessors)(odd);
  EXPECT_EQ(l.variant, static_cast<int>(all.size()) - 1);
}

TEST(Argument, StridesAreBytes) {
  const Spec spec = spec_of(4, 2, 64, 64);
  const Turns turns[1] = {};
  const auto a = Argument(spec, {turns, 1.5f}).of(call_of(spec, 5));
  EXPECT_EQ(a.stream[0].in_token, 8 * 64 * 2);
  EXPECT_EQ(a.stream[1].out_head, 64 * 2);
  EXPECT_EQ(a.position_token, 8);
  EXPECT_EQ(a.stream[0].eps, 1e-6f);
  EXPECT_EQ(a.turns, turns);
  EXPECT_EQ(a.factor, 1.5f);
}

TEST(AttentionFactor, IsThatOfFrequenciesAlone) {
  Spec spec = spec_of(4, 2, 64, 64);
  EXPECT_EQ(attention_factor(spec), 1.0f);
  const Scaling scaling = Scaling::yarn(4, 32768, 32, 1, 1.25);
  std::get<Rope>(spec.q.steps[1]).angles = Frequencies::theta(1e6, 64, scaling);
  EXPECT_EQ(attention_factor(spec), 1.25f);
  std::get<Rope>(spec.q.steps[1]).angles = CosSinCache{64};
  EXPECT_EQ(attention_factor(spec), 1.0f);
}

TEST(FrequencyTable, IsPaddedWithZeros) {
  const auto table = frequency_table(spec_of(4, 2, 80, 80));
  ASSERT_EQ(table.size(), 64u);
  EXPECT_EQ(table[0].hi, split_turns(Frequencies::theta(1e6, 80).turns()[0]).hi);
  for (std::size_t i = 40; i < table.size(); ++i) EXPECT_EQ(table[i].hi | static_cast<unsigned>(table[i].lo), 0u);
}

}  // namespace
}  // namespace ropeline::ops::qk_norm_rope
