#include "emulator/cases.h"

#include <array>
#include <set>
#include <tuple>

#include "conformance/random.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::emulator {
namespace {

using conformance::Random;
namespace op = ops::qk_norm_rope;

// The choices, and how many there are of each.
enum Axis {
  dim,
  rotary,
  style,
  source,
  norm,
  weight,
  unit,
  eps,
  rounding,
  table_rounding,
  inverse,
  activation,
  table,
  positions,
  heads,
  form,
  differ,
  axes
};
constexpr std::array<int, axes> kCounts = {9, 5, 2, 8, 5, 4, 2, 2, 2, 2, 2, 3, 3, 2, 6, 6, 5};
using Row = std::array<int, axes>;

int rotary_dim(const Row& row, int head_dim) {
  const std::array<int, 5> choices = {head_dim, head_dim / 2, head_dim - 8, 6, 0};
  return choices[row[rotary]];
}

Angles angles(const Row& row, int dim) {
  if (dim == 0) return Frequencies::theta(1e6, 0);
  if (dim < 8) return Frequencies::inv_freq(std::vector<float>(static_cast<std::size_t>(dim) / 2, 0.7f));
  switch (row[source]) {
    case 0: return Frequencies::theta(1e6, dim);
    case 1: return Frequencies::theta(1e6, dim, Scaling::yarn(4, 32768));
    case 2: return Frequencies::theta(1e4, dim, Scaling::proportional(dim / 4));
    case 3: return CosSinCache{dim};
    case 4: return CosSinRows{dim, RowLayout::half};
    case 5: return CosSinRows{dim, RowLayout::dup};
    case 6: return CosSinRows{dim, RowLayout::repeat};
    default: return CosSinRows{dim, RowLayout::full};
  }
}

Norm norm_of(const Row& row) {
  Norm n{.unit = row[unit] ? SumUnit::sum : SumUnit::mean, .eps = row[eps] ? 1e-42f : 1e-6f};
  if (row[weight] == 0) n.weight = WeightShape::none;
  if (row[weight] == 2) n.weight_offset = 1;
  n.rounding = static_cast<NormRounding>(row[norm] % 4);
  return n;
}

Rope rope_of(const Row& row, int head_dim) {
  return {.style = row[style] ? Style::interleaved : Style::neox,
          .angles = angles(row, rotary_dim(row, head_dim)),
          .inverse = row[inverse] != 0,
          .rounding = static_cast<RopeRounding>(row[rounding]),
          .table = static_cast<TableRounding>(row[table_rounding])};
}

// The second stream: as the first, without its norm, without its rope, with nothing, or rounding in another way.
std::vector<Step> steps_of_k(const Row& row, Norm n, Rope r, bool normed) {
  std::vector<Step> steps;
  if (row[differ] == 4) n.rounding = NormRounding::inner, r.inverse = !r.inverse;
  if (normed && row[differ] != 1 && row[differ] != 3) steps.push_back(n);
  if (row[differ] != 2 && row[differ] != 3) steps.push_back(r);
  return steps;
}

Spec spec_of(const Row& row) {
  constexpr std::array<int, 9> dims = {16, 64, 80, 96, 128, 160, 192, 256, 512};
  constexpr std::array<std::array<int, 2>, 6> head_counts = {{{4, 2}, {10, 2}, {5, 1}, {0, 3}, {7, 0}, {4, 1}}};
  Spec spec;
  spec.head_dim = dims[row[dim]];
  spec.activation = static_cast<DType>(row[activation]);
  spec.weight = row[weight] == 3 ? DType::fp32 : spec.activation;
  spec.table = static_cast<DType>(row[table]);
  spec.positions = row[positions] ? DType::int64 : DType::int32;
  const Norm n = norm_of(row);
  const Rope r = rope_of(row, spec.head_dim);
  const bool normed = row[norm] < 4;
  const auto [q, k] = head_counts[row[heads]];
  spec.q.heads = q, spec.k.heads = k;
  if (normed) spec.q.steps.push_back(n);
  spec.q.steps.push_back(r);
  spec.k.steps = steps_of_k(row, n, r, normed);
  if (row[form] == 4) spec.alignment = static_cast<int>(size_of(spec.activation));
  if (row[form] == 3) spec.alignment = 2 * static_cast<int>(size_of(spec.activation));
  return spec;
}

// The form that the row asks for, or the last one, which every spec has.
kernel::Variant variant_of(const Row& row, const Spec& spec) {
  const auto all = op::variants(spec);
  const auto wanted = [&](const kernel::Form& f) {
    if (row[form] == 0) return f.run == 4 && f.heads == 1;
    if (row[form] == 1) return f.heads == 2 && !f.packed;
    if (row[form] == 2) return f.heads == 6;
    if (row[form] == 5) return f.heads == 2 && f.packed;
    return row[form] == 3 && f.run == 2 && f.access == 2;
  };
  for (const kernel::Variant& v : all)
    if (wanted(v.form)) return v;
  return all.back();
}

/// Chooses, row by row, the candidate that brings the most pairs of choices together for the first time.
class Pairwise {
 public:
  std::vector<Row> rows(int count, int candidates) {
    std::vector<Row> chosen;
    for (int n = 0; n < count; ++n) {
      Row best = candidate();
      for (int i = 1; i < candidates; ++i)
        if (const Row other = candidate(); gain(other) > gain(best)) best = other;
      remember(best);
      chosen.push_back(best);
    }
    return chosen;
  }

 private:
  using Pair = std::tuple<int, int, int, int>;

  Row candidate() {
    Row row;
    for (int a = 0; a < axes; ++a) row[a] = random_.below(kCounts[a]);
    return row;
  }
  int gain(const Row& row) const {
    int n = 0;
    for (int a = 0; a < axes; ++a)
      for (int b = 0; b < a; ++b) n += !seen_.contains(Pair{a, row[a], b, row[b]});
    return n;
  }
  void remember(const Row& row) {
    for (int a = 0; a < axes; ++a)
      for (int b = 0; b < a; ++b) seen_.insert(Pair{a, row[a], b, row[b]});
  }

  Random random_{2026};
  std::set<Pair> seen_;
};

void add(std::vector<Case>& all, const Spec& spec, const kernel::Variant& variant) {
  if (op::unsupported(spec).empty()) all.push_back({spec, variant});
}

void add_every_form(std::vector<Case>& all, const Spec& spec) {
  for (const kernel::Variant& variant : op::variants(spec)) add(all, spec, variant);
}

Spec plain(int q, int k, int head_dim, int rotary_dim, Style style) {
  return qk_norm_rope({q, k, head_dim}, RmsNorm{}, {.style = style, .angles = Frequencies::theta(1e6, rotary_dim)});
}

}  // namespace

std::vector<Case> cases() {
  std::vector<Case> all;
  add_every_form(all, plain(8, 4, 128, 128, Style::neox));
  add_every_form(all, plain(10, 2, 128, 128, Style::interleaved));
  // Rotary lanes that are a whole warp or part of one, with several heads in a warp (known faults elsewhere).
  for (const int rotary : {32, 64, 96})
    add(all, plain(4, 1, 128, rotary, Style::neox), op::variants(plain(4, 1, 128, rotary, Style::neox))[1]);
  for (const Row& row : Pairwise().rows(46, 400)) {
    const Spec spec = spec_of(row);
    add(all, spec, variant_of(row, spec));
  }
  return all;
}

}  // namespace ropeline::emulator
