#include "conformance/specs.h"

#include <algorithm>
#include <cmath>

namespace ropeline::conformance {
namespace {

std::vector<double> factors(int count, double growth) {
  std::vector<double> all;
  for (int i = 0; i < count; ++i) all.push_back(1 + growth * i / count);
  return all;
}

std::vector<float> explicit_frequencies(int count) {
  std::vector<float> all;
  for (int i = 0; i < count; ++i) all.push_back(static_cast<float>((i % 5 == 4 ? -1 : 1) * std::exp(-0.2 * i)));
  return all;
}

int random_head_dim(Random& random) {
  if (random.chance(0.5)) return random.pick({64, 80, 96, 128, 160, 192, 256});
  return 8 * (2 + random.below(63));
}

int random_rotary_dim(int head_dim, Random& random) {
  if (random.chance(0.5)) return head_dim;
  if (random.chance(0.3)) return std::min(head_dim, random.pick({0, 2, 32, 40, 64, 96}));
  return 2 * random.below(head_dim / 2 + 1);
}

Norm random_norm(Random& random) {
  Norm norm;
  norm.unit = random.chance(0.8) ? SumUnit::mean : SumUnit::sum;
  norm.eps = random.pick({1e-6f, 1e-5f, 1e-30f, 1e-42f, 0.5f});
  norm.weight = random.chance(0.75) ? WeightShape::row : WeightShape::none;
  if (norm.weight == WeightShape::row) norm.weight_offset = random.pick({0.0f, 0.0f, 1.0f, 0.25f});
  norm.rounding = random.pick({NormRounding::none, NormRounding::end, NormRounding::inner, NormRounding::factor});
  return norm;
}

Angles random_angles(int rotary_dim, Random& random) {
  const int source = random.below(4);
  if (source == 0) return CosSinCache{rotary_dim};
  if (source == 1) return random.pick(every_rows(rotary_dim));
  if (rotary_dim == 0) return Frequencies::theta(1e4, 0);
  if (rotary_dim == 2) return Frequencies::inv_freq({0.7f});
  return random.pick(every_frequencies(rotary_dim));
}

/// q and k may round differently and turn in opposite directions; style and angles are shared.
Rope with_own_rounding(Rope rope, Random& random) {
  rope.inverse = random.chance(0.15);
  rope.rounding = random.pick({RopeRounding::end, RopeRounding::products});
  rope.table = random.pick({TableRounding::fp32, TableRounding::dtype});
  return rope;
}

StreamSpec random_stream(int heads, const Rope& shared, Random& random) {
  StreamSpec stream{heads};
  if (random.chance(0.85)) stream.steps.push_back(random_norm(random));
  if (random.chance(0.85)) stream.steps.push_back(with_own_rounding(shared, random));
  return stream;
}

}  // namespace

std::vector<Frequencies> every_frequencies(int rotary_dim) {
  const int n = rotary_dim / 2;
  return {
      Frequencies::theta(1e4, rotary_dim),
      Frequencies::theta(1e6, rotary_dim),
      Frequencies::theta(1e6, rotary_dim, Scaling::linear(8)),
      Frequencies::theta(1e4, rotary_dim, Scaling::dynamic(2, 4096, 10000)),
      Frequencies::theta(1e6, rotary_dim, Scaling::yarn(4, 32768)),
      Frequencies::theta(5e5, rotary_dim, Scaling::yarn_range(2.5, 4, 32, 0.9)),
      Frequencies::theta(5e5, rotary_dim, Scaling::llama3(8, 1, 4, 8192)),
      Frequencies::theta(1e4, rotary_dim, Scaling::longrope(factors(n, 0.5), factors(n, 30), 32, 4096, 2048)),
      Frequencies::theta(1e4, rotary_dim, Scaling::longrope(factors(n, 0.5), factors(n, 30), 32, 4096, 65536)),
      Frequencies::theta(1e6, rotary_dim, Scaling::proportional(n / 2)),
      Frequencies::inv_freq(explicit_frequencies(n), 0.9),
  };
}

std::vector<Rounding> every_rounding() {
  std::vector<Rounding> all;
  for (auto norm : {NormRounding::none, NormRounding::end, NormRounding::inner, NormRounding::factor})
    for (auto rope : {RopeRounding::end, RopeRounding::products})
      for (auto table : {TableRounding::fp32, TableRounding::dtype}) all.push_back({norm, rope, table});
  return all;
}

std::vector<Angles> every_rows(int rotary_dim) {
  std::vector<Angles> all;
  for (auto layout : {RowLayout::half, RowLayout::dup, RowLayout::repeat, RowLayout::full})
    all.push_back(CosSinRows{rotary_dim, layout});
  return all;
}

Spec random_spec(Random& random) {
  Spec spec;
  spec.head_dim = random_head_dim(random);
  spec.activation = random.pick({DType::bf16, DType::bf16, DType::fp16, DType::fp32});
  spec.weight = random.chance(0.7) ? spec.activation : DType::fp32;
  spec.table = random.pick({DType::fp32, DType::bf16, DType::fp16});
  spec.positions = random.pick({DType::int32, DType::int64});
  Rope rope;
  rope.style = random.pick({Style::neox, Style::interleaved});
  rope.angles = random_angles(random_rotary_dim(spec.head_dim, random), random);
  const int q = random.chance(0.1) ? random.below(40) : random.below(9);
  spec.q = random_stream(q, rope, random);
  spec.k = random_stream(q ? random.below(5) : 1 + random.below(4), rope, random);
  return spec;
}

Recipe random_recipe(Random& random) {
  Recipe r;
  r.spec = random_spec(random);
  r.batches = random.chance(0.3) ? 1 + random.below(3) : 0;
  r.tokens = random.chance(0.05) ? 0 : random.chance(0.1) ? 40 + random.below(60) : 1 + random.below(9);
  r.layout = static_cast<Layout>(random.below(8));
  r.in_place = random.chance(0.5);
  r.out_layout = random.pick({Layout::dense, Layout::head_gaps, Layout::token_gaps, Layout::head_major,
                              Layout::token_outer, Layout::backward});
  const auto size = static_cast<int>(size_of(r.spec.activation));
  if (random.chance(0.3)) r.spec.alignment = size, r.shift = size * random.below(16);
  r.values = random.chance(0.5) ? Values::ordinary : Values::special;
  r.table_values = random.chance(0.8) ? Values::ordinary : Values::special;
  r.positions = static_cast<Positions>(random.below(r.spec.positions == DType::int64 ? 5 : 4));
  r.shared_angles = random.chance(0.4);
  r.position_stride = random.pick({1, 1, 2, 3});
  r.table_rows = random.pick({1, 7, 64, 300});
  r.seed = random.bits();
  r.poison = random.chance(0.5) ? std::byte{0xff} : std::byte{0x5a};
  return r;
}

Random random_of(std::uint64_t run, int index) {
  return Random(run * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(index));
}

}  // namespace ropeline::conformance
