#include "reference/angles.h"

#include <limits>

#include "kernels/shared/phase.h"
#include "reference/element.h"

namespace ropeline::reference {

Turns::Turns(const Spec& spec, const Rope& rope, const Args& args) : spec_(spec), rope_(rope), args_(args) {
  if (const auto* frequencies = std::get_if<Frequencies>(&rope.angles)) {
    frequencies_ = frequencies->turns();
    factor_ = frequencies->attention_factor();
  }
}

/// A leading batch dimension of one is shared by all batches.
static std::int64_t batch_offset(const TensorView& view, int axis, std::int64_t batch) {
  return view.shape[axis] > 1 ? batch * view.strides[axis] : 0;
}

/// The position that feeds an element of the slice: [T] or [B, T], with an axis in front when the rope has axes.
std::optional<std::int64_t> Turns::position(int element, std::int64_t batch, std::int64_t token) const {
  const TensorView& p = args_.positions;
  const int pairs = rope_.rotary_dim() / 2;
  const int leading = rope_.axes.empty() ? 0 : 1;
  std::int64_t offset = token * p.strides[p.rank - 1];
  if (p.rank - leading == 2) offset += batch_offset(p, leading, batch);
  if (leading) {
    const bool each_element = static_cast<int>(rope_.axes.size()) == 2 * pairs;
    offset += rope_.axes[each_element ? element : element % pairs] * p.strides[0];
  }
  const std::int64_t position = load_integer(p, offset);
  if (position < std::numeric_limits<std::int32_t>::min() || position > std::numeric_limits<std::int32_t>::max())
    return {};
  return position;
}

Turns::CosSin Turns::row_element(const CosSinRows& rows, int element, std::int64_t batch, std::int64_t token,
                                 int head) const {
  const int pairs = rows.rotary_dim / 2;
  int column = element % pairs;  // half and dup
  if (rows.layout == RowLayout::repeat) column = 2 * (element % pairs);
  if (rows.layout == RowLayout::full && rope_.style == Style::neox) column = element;
  if (rows.layout == RowLayout::full && rope_.style == Style::interleaved)
    column = 2 * (element % pairs) + element / pairs;
  const auto value = [&](const TensorView& v) {
    const int last = v.rank - 1;
    const int token_axis = last - (rows.per_head ? 2 : 1);
    std::int64_t offset = column * v.strides[last] + token * v.strides[token_axis];
    if (rows.per_head) offset += head * v.strides[last - 1];
    if (token_axis == 1) offset += batch_offset(v, 0, batch);
    return load(v, offset);
  };
  return {value(args_.cos), value(args_.sin)};
}

/// Elements count the first members of all pairs, then the second members: element e belongs to pair e mod RD/2.
std::optional<Turns::CosSin> Turns::element(int element, std::int64_t batch, std::int64_t token, int head) const {
  if (const auto* rows = std::get_if<CosSinRows>(&rope_.angles)) return row_element(*rows, element, batch, token, head);

  const std::optional<std::int64_t> p = position(element, batch, token);
  if (!p) return {};
  const int pairs = rope_.rotary_dim() / 2;
  const int i = element % pairs;
  if (std::holds_alternative<CosSinCache>(rope_.angles)) {
    const TensorView& table = args_.cos_sin_cache;
    if (*p < 0 || *p >= table.shape[0]) return {};
    const std::int64_t row = *p * table.strides[0];
    return CosSin{load(table, row + i), load(table, row + pairs + i)};
  }
  const SinCos exact = sin_cos(phase_of(static_cast<std::int32_t>(*p), split_turns(frequencies_[i])));
  return CosSin{exact.cos * factor_, exact.sin * factor_};
}

std::optional<std::vector<Turn>> Turns::at(std::int64_t batch, std::int64_t token, int head) const {
  const auto finish = [&](CosSin x) {
    if (rope_.table == TableRounding::dtype) x = {round_to(spec_.activation, x.cos), round_to(spec_.activation, x.sin)};
    if (rope_.inverse) x.sin = -x.sin;
    return x;
  };
  const int pairs = rope_.rotary_dim() / 2;
  std::vector<Turn> turns;
  for (int i = 0; i < pairs; ++i) {
    const auto first = element(i, batch, token, head);
    const auto second = element(pairs + i, batch, token, head);
    if (!first || !second) return {};
    const CosSin a = finish(*first), b = finish(*second);
    turns.push_back({a.cos, a.sin, b.cos, b.sin});
  }
  return turns;
}

}  // namespace ropeline::reference
