#include "cpu/lowered.h"

#include <algorithm>

namespace ropeline::cpu {
namespace {

/// Appends the pair (lo, hi), lengthening the last run where it continues.
void append(std::vector<PairRun>& runs, int lo, int hi) {
  if (!runs.empty() && runs.back().lo + runs.back().count == lo && runs.back().hi + runs.back().count == hi) {
    ++runs.back().count;
  } else {
    runs.push_back({lo, hi, 1});
  }
}

/// Rotary partners first, then the other elements in ascending order, the first half of them against the second.
std::vector<PairRun> neox_runs(int head_dim, int offset, int pairs) {
  std::vector<PairRun> runs;
  for (int i = 0; i < pairs; ++i) append(runs, offset + i, offset + i + pairs);
  std::vector<int> others;
  for (int i = 0; i < head_dim; ++i) {
    if (i < offset || i >= offset + 2 * pairs) others.push_back(i);
  }
  const std::size_t half = others.size() / 2;
  for (std::size_t j = 0; j < half; ++j) append(runs, others[j], others[j + half]);
  return runs;
}

std::vector<PairRun> runs_of(int head_dim, const Rope* rope) {
  if (rope && rope->style == Style::neox) return neox_runs(head_dim, rope->offset, rope->rotary_dim() / 2);
  return {{0, head_dim / 2, head_dim / 2}};
}

TableRead read_of(RowLayout layout, Style style) {
  switch (layout) {
    case RowLayout::half:
    case RowLayout::dup: return TableRead::consecutive;
    case RowLayout::repeat: return TableRead::alternate;
    case RowLayout::full: break;
  }
  return style == Style::neox ? TableRead::split_halves : TableRead::split_neighbours;
}

void read_frequencies(const Frequencies& frequencies, AngleLoop& loop) {
  loop.source = AngleSource::phase;
  loop.factor = frequencies.attention_factor();
  for (std::uint64_t f : frequencies.turns()) {
    const Turns turns = split_turns(f);
    loop.turns_hi.push_back(turns.hi);
    loop.turns_lo.push_back(turns.lo);
  }
  loop.turns_hi.resize(loop.turns_hi.size() + kSlack);
  loop.turns_lo.resize(loop.turns_lo.size() + kSlack);
}

AngleLoop angles_of(const Rope& rope, const Spec& spec) {
  AngleLoop loop{.pairs = rope.rotary_dim() / 2,
                 .rounded = rope.table == TableRounding::dtype && spec.activation != DType::fp32,
                 .inverse = rope.inverse};
  if (const auto* frequencies = std::get_if<Frequencies>(&rope.angles)) {
    read_frequencies(*frequencies, loop);
  } else if (const auto* rows = std::get_if<CosSinRows>(&rope.angles)) {
    loop.source = AngleSource::rows;
    loop.read = read_of(rows->layout, rope.style);
  } else {
    loop.source = AngleSource::cache;
  }
  const bool from_bf16 = loop.source != AngleSource::phase && spec.table == DType::bf16;
  loop.is_bf16 = (loop.rounded && spec.activation == DType::bf16) || from_bf16;
  return loop;
}

/// The index of these angles among those of the spec; q and k mostly share one.
int share(std::vector<AngleLoop>& all, AngleLoop loop) {
  const auto found = std::find(all.begin(), all.end(), loop);
  if (found != all.end()) return static_cast<int>(found - all.begin());
  all.push_back(std::move(loop));
  return static_cast<int>(all.size()) - 1;
}

NormLoop norm_of(const Norm& norm, int head_dim, const Rope* rope) {
  return {.rounding = norm.rounding,
          .weighted = norm.weight != WeightShape::none,
          .eps = norm.eps,
          .unit = norm.unit == SumUnit::mean ? 1.0f / static_cast<float>(head_dim) : 1.0f,
          .weight_offset = norm.weight_offset,
          .runs = runs_of(head_dim, rope)};
}

StreamLoop stream_of(const StreamSpec& stream, const Spec& spec, std::vector<AngleLoop>& angles) {
  StreamLoop loop{.heads = stream.heads};
  const Norm* norm = stream.norm();
  const Rope* rope = stream.rope();
  loop.has_norm = norm != nullptr;
  loop.has_rope = rope && rope->rotary_dim() > 0;
  if (loop.has_norm) loop.norm = norm_of(*norm, spec.head_dim, rope);
  if (loop.has_rope) {
    loop.rope = {.style = rope->style,
                 .offset = rope->offset,
                 .pairs = rope->rotary_dim() / 2,
                 .products = rope->rounding == RopeRounding::products,
                 .angles = share(angles, angles_of(*rope, spec))};
  }
  return loop;
}

}  // namespace

Lowered lowered(const Spec& spec) {
  Lowered result{.head_dim = spec.head_dim,
                 .activation = spec.activation,
                 .weight = spec.weight,
                 .table = spec.table,
                 .positions = spec.positions};
  if (spec.q.heads > 0) result.q = stream_of(spec.q, spec, result.angles);
  if (spec.k.heads > 0) result.k = stream_of(spec.k, spec, result.angles);
  return result;
}

}  // namespace ropeline::cpu
