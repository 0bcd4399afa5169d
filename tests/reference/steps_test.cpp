// The steps of the reference against textbook formulas in double precision, and their roundings against hand-made
// cases. The parts of the step language that no backend runs yet are held here.

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/shared/numbers.h"
#include "reference/angles.h"
#include "reference/element.h"
#include "reference/norm.h"
#include "reference/reference.h"
#include "reference/rotation.h"

namespace ropeline::reference {
namespace {

constexpr int kTokens = 3, kHeads = 2, kDim = 16;

/// Numbers without a pattern between -2 and 2.
std::vector<float> numbers(int count, float phase) {
  std::vector<float> all;
  for (int i = 0; i < count; ++i) all.push_back(2 * std::sin(phase + 1.7f * static_cast<float>(i)));
  return all;
}

/// A call on one fp32 stream q [3, 2, 16].
struct OneStream {
  Spec spec;
  Args args;
  std::vector<float> x = numbers(kTokens * kHeads * kDim, 0.3f), y = std::vector<float>(x.size());
  std::vector<float> weight = numbers(kHeads * kDim, 1.1f), bias = numbers(kDim, 2.2f);
  std::vector<std::int64_t> positions = {0, 5, 1000};

  explicit OneStream(std::vector<Step> steps) {
    spec.head_dim = kDim;
    spec.activation = spec.weight = DType::fp32;
    spec.q = {kHeads, std::move(steps)};
    args.q = TensorView(x.data(), DType::fp32, {kTokens, kHeads, kDim});
    args.q_out = TensorView(y.data(), DType::fp32, {kTokens, kHeads, kDim});
    args.positions = TensorView(positions.data(), DType::int64, {kTokens});
  }
  float in(int t, int h, int i) const { return x[(t * kHeads + h) * kDim + i]; }
  float out(int t, int h, int i) const { return y[(t * kHeads + h) * kDim + i]; }
  void run() { reference::run(spec, args); }
};

template <class Visit>
void for_each_element(const Visit& visit) {
  for (int t = 0; t < kTokens; ++t)
    for (int h = 0; h < kHeads; ++h)
      for (int i = 0; i < kDim; ++i) visit(t, h, i);
}

TEST(InverseRoot, IsTheNearestNumber) {
  for (std::uint32_t bits = 1; bits < 0x7f800000u; bits += 104729) {
    const float a = float_of(bits);
    const long double exact = 1 / std::sqrt(static_cast<long double>(a));
    const float got = inverse_root(a);
    const auto error = [&](float y) { return std::abs(static_cast<long double>(y) - exact); };
    ASSERT_LE(error(got), error(std::nextafter(got, 0.0f))) << a;
    ASSERT_LE(error(got), error(std::nextafter(got, 1e30f))) << a;
  }
  EXPECT_EQ(inverse_root(INFINITY), 0);
}

TEST(ReferenceNorm, RmsIsTheTextbook) {
  OneStream s({RmsNorm{.eps = 1e-5f, .weight_offset = 1}});
  s.args.q_weight = TensorView(s.weight.data(), DType::fp32, {kDim});
  s.run();
  for_each_element([&](int t, int h, int i) {
    double squares = 0;
    for (int j = 0; j < kDim; ++j) squares += std::pow(s.in(t, h, j), 2);
    EXPECT_NEAR(s.out(t, h, i), s.in(t, h, i) / std::sqrt(squares / kDim + 1e-5) * (1.0 + s.weight[i]), 1e-6);
  });
}

TEST(ReferenceNorm, LayerNormIsTheTextbook) {
  OneStream s({LayerNorm{}});
  s.args.q_weight = TensorView(s.weight.data(), DType::fp32, {kDim});
  s.args.q_bias = TensorView(s.bias.data(), DType::fp32, {kDim});
  s.run();
  for_each_element([&](int t, int h, int i) {
    double mean = 0, variance = 0;
    for (int j = 0; j < kDim; ++j) mean += s.in(t, h, j) / double{kDim};
    for (int j = 0; j < kDim; ++j) variance += std::pow(s.in(t, h, j) - mean, 2) / kDim;
    EXPECT_NEAR(s.out(t, h, i), (s.in(t, h, i) - mean) / std::sqrt(variance + 1e-5) * s.weight[i] + s.bias[i], 2e-6);
  });
}

TEST(ReferenceNorm, L2HasNoWeightAndNoMean) {
  OneStream s({L2Norm{.eps = 0.25f}});
  s.run();
  for_each_element([&](int t, int h, int i) {
    double squares = 0;
    for (int j = 0; j < kDim; ++j) squares += std::pow(s.in(t, h, j), 2);
    EXPECT_NEAR(s.out(t, h, i), s.in(t, h, i) / std::sqrt(squares + 0.25), 1e-6);
  });
}

TEST(ReferenceNorm, AllHeadsShareOneSumAndHaveOneLongWeight) {
  OneStream s({RmsNorm{.extent = Extent::all_heads}});
  s.args.q_weight = TensorView(s.weight.data(), DType::fp32, {kHeads * kDim});
  s.run();
  for_each_element([&](int t, int h, int i) {
    double squares = 0;
    for (int g = 0; g < kHeads; ++g)
      for (int j = 0; j < kDim; ++j) squares += std::pow(s.in(t, g, j), 2);
    EXPECT_NEAR(s.out(t, h, i), s.in(t, h, i) / std::sqrt(squares / (kHeads * kDim) + 1e-6) * s.weight[h * kDim + i],
                1e-6);
  });
}

TEST(ReferenceNorm, ARowForEachHead) {
  OneStream each({RmsNorm{.weight = WeightShape::row_per_head}});
  each.args.q_weight = TensorView(each.weight.data(), DType::fp32, {kHeads, kDim});
  each.run();
  for (int h = 0; h < kHeads; ++h) {
    OneStream shared({RmsNorm{}});
    shared.args.q_weight = TensorView(shared.weight.data() + h * kDim, DType::fp32, {kDim});
    shared.run();
    for (int i = 0; i < kDim; ++i) EXPECT_EQ(each.out(1, h, i), shared.out(1, h, i));
  }
}

/// One element x of a head whose norm has inv = 1/3 (as fp32), weight w, in bf16.
float normed(NormRounding rounding, float x, float w) {
  Rows heads = {std::vector<float>(kDim, 0.0f)};
  heads[0][0] = x;
  const float eps = 9 - x * x / kDim;
  const std::vector<float> weight(kDim, w);
  normalise(heads, {.eps = eps, .rounding = rounding}, pairs_of(kDim, nullptr),
            TensorView(weight.data(), DType::fp32, {kDim}), {}, DType::bf16);
  return heads[0][0];
}

TEST(ReferenceNorm, RoundsWhereItsModeSays) {
  const float third = inverse_root(9), x = 1.0625f, w = 1.0625f;  // where the modes differ
  const auto R = [](float v) { return round_to(DType::bf16, v); };
  EXPECT_EQ(normed(NormRounding::none, x, w), x * third * w);
  EXPECT_EQ(normed(NormRounding::end, x, w), R(x * third * w));
  EXPECT_EQ(normed(NormRounding::inner, x, w), R(w * R(x * third)));
  EXPECT_EQ(normed(NormRounding::factor, x, w), R(w * R(x * R(third))));
  EXPECT_NE(normed(NormRounding::end, x, w), normed(NormRounding::inner, x, w));
  EXPECT_NE(normed(NormRounding::factor, x, w), normed(NormRounding::inner, x, w));
  EXPECT_NE(normed(NormRounding::none, x, w), normed(NormRounding::end, x, w));
}

// --- rope ------------------------------------------------------------------------------------------------------------

/// The textbook's rotation of the pair (first, second) by `angle`.
void expect_turned(const OneStream& s, int t, int h, int first, int second, double angle) {
  const double a = s.in(t, h, first), b = s.in(t, h, second);
  EXPECT_NEAR(s.out(t, h, first), a * std::cos(angle) - b * std::sin(angle), 2e-6)
      << "pair " << first << ", " << second;
  EXPECT_NEAR(s.out(t, h, second), b * std::cos(angle) + a * std::sin(angle), 2e-6)
      << "pair " << first << ", " << second;
}

double angle_of(std::int64_t position, int i, int rotary_dim) {
  return static_cast<double>(position) * std::pow(10000.0, -2.0 * i / rotary_dim);
}

TEST(ReferenceRope, NeoxTurnsHalvesOfTheSliceAndNothingElse) {
  Rope rope = Rope::neox(Frequencies::theta(1e4, 8));
  rope.offset = 4;
  OneStream s({rope});
  s.run();
  for (int t = 0; t < kTokens; ++t)
    for (int h = 0; h < kHeads; ++h) {
      for (int i = 0; i < 4; ++i) expect_turned(s, t, h, 4 + i, 8 + i, angle_of(s.positions[t], i, 8));
      for (int i : {0, 1, 2, 3, 12, 13, 14, 15}) EXPECT_EQ(s.out(t, h, i), s.in(t, h, i));
    }
}

TEST(ReferenceRope, InterleavedTurnsNeighboursAndInverseTurnsBack) {
  for (bool inverse : {false, true}) {
    Rope rope = Rope::interleaved(Frequencies::theta(1e4, kDim));
    rope.inverse = inverse;
    OneStream s({rope});
    s.run();
    for (int t = 0; t < kTokens; ++t)
      for (int i = 0; i < kDim / 2; ++i)
        expect_turned(s, t, 1, 2 * i, 2 * i + 1, (inverse ? -1 : 1) * angle_of(s.positions[t], i, kDim));
  }
}

TEST(ReferenceRope, AxesChooseTheRowOfPositions) {
  std::vector<std::int64_t> positions = {0, 5, 1000, 7, 70, 700};  // [A, T]
  Rope rope = Rope::neox(Frequencies::theta(1e4, kDim));
  rope.axes = {0, 1, 0, 1, 1, 1, 0, 0};
  OneStream s({rope});
  s.args.positions = TensorView(positions.data(), DType::int64, {2, kTokens});
  s.run();
  for (int t = 0; t < kTokens; ++t)
    for (int i = 0; i < kDim / 2; ++i)
      expect_turned(s, t, 0, i, i + kDim / 2, angle_of(positions[rope.axes[i] * kTokens + t], i, kDim));
}

TEST(ReferenceRope, RowsMayDifferFromHeadToHead) {
  std::vector<float> cos, sin;
  for (int i = 0; i < kTokens * kHeads * kDim / 2; ++i) {
    cos.push_back(std::cos(static_cast<float>(i)));
    sin.push_back(std::sin(static_cast<float>(i)));
  }
  OneStream s({Rope::neox(CosSinRows{kDim, RowLayout::half, true})});
  s.args.cos = TensorView(cos.data(), DType::fp32, {kTokens, kHeads, kDim / 2});
  s.args.sin = TensorView(sin.data(), DType::fp32, {kTokens, kHeads, kDim / 2});
  s.run();
  for (int t = 0; t < kTokens; ++t)
    for (int h = 0; h < kHeads; ++h)
      for (int i = 0; i < kDim / 2; ++i)
        expect_turned(s, t, h, i, i + kDim / 2, static_cast<double>((t * kHeads + h) * kDim / 2 + i));
}

TEST(ReferenceRope, RoundsProductsOrOnlyTheEnd) {
  const float a = 1.0078125f, b = 0.99609375f, c = 0.6f, s = 0.8f;
  const auto R = [](float v) { return round_to(DType::bf16, v); };
  std::vector<float> end = {a, b}, products = end;
  rotate(end, {.angles = CosSinRows{2}}, {{c, s, c, s}}, DType::bf16);
  rotate(products, {.angles = CosSinRows{2}, .rounding = RopeRounding::products}, {{c, s, c, s}}, DType::bf16);
  EXPECT_EQ(end[0], std::fma(a, c, -(b * s)));
  EXPECT_EQ(end[1], std::fma(b, c, a * s));
  EXPECT_EQ(products[0], R(R(a * c) - R(b * s)));
  EXPECT_EQ(products[1], R(R(b * c) + R(a * s)));
  EXPECT_NE(R(end[0]), products[0]);
}

// --- other steps, and steps in a row

TEST(ReferenceScale, ReadsTheDimensionsThatItHas) {
  std::vector<float> by_token = {2, 3, 5}, by_dim = numbers(kDim, 0.5f);
  OneStream token({Scale{.per_token = true}}), dim({Scale{.per_dim = true}});
  token.args.q_scale = TensorView(by_token.data(), DType::fp32, {kTokens, 1, 1});
  dim.args.q_scale = TensorView(by_dim.data(), DType::fp32, {1, 1, kDim});
  token.run(), dim.run();
  for_each_element([&](int t, int h, int i) {
    EXPECT_EQ(token.out(t, h, i), token.in(t, h, i) * by_token[t]);
    EXPECT_EQ(dim.out(t, h, i), dim.in(t, h, i) * by_dim[i]);
  });
}

TEST(ReferenceClamp, KeepsWhatIsWithinAndNaN) {
  OneStream s({Clamp{0.5f}});
  s.x[3] = NAN;
  s.run();
  EXPECT_TRUE(std::isnan(s.y[3]));
  for_each_element([&](int t, int h, int i) {
    if (t + h == 0 && i == 3) return;
    EXPECT_EQ(s.out(t, h, i), std::min(std::max(s.in(t, h, i), -0.5f), 0.5f));
  });
}

TEST(ReferenceSteps, ARopeBeforeARoundingStepIsRounded) {
  const Rope rope = Rope::neox(Frequencies::theta(1e4, kDim));
  Norm norm = RmsNorm{.weight = WeightShape::none};
  std::vector<std::uint16_t> x, out[3] = {std::vector<std::uint16_t>(kDim), out[0], out[0]};
  for (float v : numbers(kDim, 0.9f)) x.push_back(fp32_to_bf16(v));
  std::int64_t position = 3;
  const auto run_steps = [&](std::vector<Step> steps, const void* in, void* to) {
    Spec spec;
    spec.head_dim = kDim;
    spec.q = {1, std::move(steps)};
    Args args;
    args.q = TensorView(in, DType::bf16, {1, 1, kDim}), args.q_out = TensorView(to, DType::bf16, {1, 1, kDim});
    args.positions = TensorView(&position, DType::int64, {1});
    run(spec, args);
  };
  norm.rounding = NormRounding::end;
  run_steps({rope, norm}, x.data(), out[0].data());  // in one call
  run_steps({rope}, x.data(), out[1].data());        // and with a store to bf16 in between
  run_steps({norm}, out[1].data(), out[1].data());
  EXPECT_NE(out[0], std::vector<std::uint16_t>(kDim));
  EXPECT_EQ(out[0], out[1]);
}

}  // namespace
}  // namespace ropeline::reference
