#include "tools/golden/angles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "ropeline/error.h"
#include "ropeline/table.h"

namespace ropeline::tools::golden {
namespace {

using nlohmann::json;

[[noreturn]] void nothing_to_feed(const RecordedTable& table, const std::string& why) {
  throw Error(ErrorKind::unsupported, fmt::format("table {}: {}", table.name, why));
}

std::string inv_freq_name(const RecordedTable& table) { return fmt::format("table.{}.inv_freq", table.name); }

std::vector<float> inv_freq_of(const Recording& recording, const RecordedTable& table) {
  if (!recording.file().contains(inv_freq_name(table))) nothing_to_feed(table, "no inv_freq was recorded");
  const Tensor values = convert(recording.file().at(inv_freq_name(table)), DType::fp32);
  return {values.as<float>(), values.as<float>() + values.view().elements()};
}

// --- recorded rows -----------------------------------------------------------------------------------------------

// Rows of n values as the model handed them over: each value twice, `apart` elements from its twin.
Tensor widened(const Tensor& half, bool side_by_side) {
  std::vector<std::int64_t> shape = shape_of(half.view());
  const std::int64_t n = shape.back(), rows = half.view().elements() / n;
  shape.back() = 2 * n;
  Tensor wide(half.view().dtype, shape);
  const std::size_t size = size_of(wide.view().dtype);
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t twin = 0; twin < 2; ++twin) {
        const std::int64_t to = row * 2 * n + (side_by_side ? 2 * i + twin : i + twin * n);
        std::memcpy(wide.data() + to * size, half.data() + (row * n + i) * size, size);
      }
  return wide;
}

AngleFeed recorded_rows(const Recording& recording, const RecordedTable& table, const std::string& set, DType dtype) {
  const std::string at = fmt::format("table.{}.{}.{}.", table.name, set, dtype == DType::bf16 ? "bf16" : "f32");
  const TensorView &cos = recording.file().at(at + "cos"), &sin = recording.file().at(at + "sin");
  AngleFeed feed{.table = cos.dtype, .cos = convert(cos, cos.dtype), .sin = convert(sin, sin.dtype)};
  CosSinRows rows;
  rows.per_head = cos.rank == 3;
  if (table.layout == "half_dup" || table.layout == "repeat") {
    rows.layout = table.layout == "repeat" ? RowLayout::repeat : RowLayout::dup;
    for (Tensor* rows_of : {&feed.cos, &feed.sin}) *rows_of = widened(*rows_of, rows.layout == RowLayout::repeat);
  } else {
    rows.layout = table.layout == "full" ? RowLayout::full : RowLayout::half;
  }
  const auto width = static_cast<int>(feed.cos.view().shape[cos.rank - 1]);
  rows.rotary_dim = rows.layout == RowLayout::half ? 2 * width : width;
  feed.angles = rows;
  return feed;
}

// --- rows made of frequencies and positions ----------------------------------------------------------------------

// Which position, and which frequency, make one column of a table.
struct Column {
  int axis, frequency;
};

std::vector<Column> run(int axis, int count, int first = 0) {
  std::vector<Column> columns;
  for (int i = first; i < first + count; ++i) columns.push_back({axis, i});
  return columns;
}

void append(std::vector<Column>& columns, const std::vector<Column>& more) {
  columns.insert(columns.end(), more.begin(), more.end());
}

// Every third frequency belongs to h, to w, while the sections last; the rest to t.
std::vector<Column> mrope_interleaved(const std::vector<int>& sections, int n) {
  std::vector<Column> columns = run(0, n);
  for (int axis : {1, 2})
    for (int i = axis; i < std::min(3 * sections.at(axis), n); i += 3) columns[i].axis = axis;
  return columns;
}

// Runs of 2 * section over the doubled width.
std::vector<Column> mrope_contiguous(const std::vector<int>& sections, int n) {
  std::vector<Column> columns;
  for (std::size_t axis = 0; axis < sections.size(); ++axis)
    for (int i = 0; i < 2 * sections[axis]; ++i)
      columns.push_back({static_cast<int>(axis), static_cast<int>(columns.size()) % n});
  return columns;
}

std::vector<Column> columns_of(const RecordedTable& table, int n) {
  const std::string& kind = table.position_kind;
  if (kind == "1d") return run(0, n);
  if (kind == "mrope_interleaved") return mrope_interleaved(table.sections, n);
  if (kind == "mrope_contiguous") return mrope_contiguous(table.sections, n);
  std::vector<Column> columns = run(0, n);
  if (kind == "axial_alternating") {
    for (int i = 1; i < n; i += 2) columns[i].axis = 1;
  } else if (kind == "axial") {
    append(columns, run(1, n));
  } else if (kind == "axial_chunks") {
    for (int axis : {0, 1, 1}) append(columns, run(axis, n));
  } else {
    nothing_to_feed(table, fmt::format("position kind {} has no integer positions", kind));
  }
  return columns;
}

// Recorded positions as one list for each axis, whichever way round they are stored: [T], [axes, T], [T, 2] or [1, T,
// 2].
std::vector<std::vector<std::int64_t>> axes_of(const TensorView& recorded, const RecordedTable& table) {
  const Tensor positions = convert(recorded, DType::int64);
  const std::int64_t* at = positions.as<std::int64_t>();
  if (recorded.rank == 1) return {{at, at + recorded.shape[0]}};
  const bool token_major = table.position_kind == "axial" || table.position_kind == "axial_chunks";
  const std::int64_t axes = recorded.shape[token_major ? recorded.rank - 1 : 0], tokens = recorded.elements() / axes;
  std::vector<std::vector<std::int64_t>> lists(axes, std::vector<std::int64_t>(tokens));
  for (std::int64_t a = 0; a < axes; ++a)
    for (std::int64_t t = 0; t < tokens; ++t) lists[a][t] = at[token_major ? t * axes + a : a * tokens + t];
  return lists;
}

TensorView positions_of(const Recording& recording, const RecordedTable& table, const std::string& set) {
  return recording.file().at(fmt::format("table.{}.{}.positions", table.name, set));
}

AngleFeed rows_of(const Frequencies& frequencies, const RecordedTable& table, const TensorView& positions) {
  const int n = frequencies.rotary_dim / 2;
  const std::vector<Column> columns = columns_of(table, n);
  std::vector<CosSinTable> tables;
  for (const auto& axis : axes_of(positions, table))
    tables.push_back(cos_sin_table(frequencies, axis, AngleMode::fp32_product));
  const std::int64_t tokens = tables.at(0).positions, width = static_cast<std::int64_t>(columns.size());
  AngleFeed feed{.cos = Tensor(DType::fp32, {tokens, width}), .sin = Tensor(DType::fp32, {tokens, width})};
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t c = 0; c < width; ++c) {
      const auto [axis, frequency] = columns[c];
      feed.cos.as<float>()[t * width + c] = tables.at(axis).cos[t * n + frequency];
      feed.sin.as<float>()[t * width + c] = tables.at(axis).sin[t * n + frequency];
    }
  const bool full = table.layout == "full" || table.position_kind == "mrope_contiguous";
  const auto dim = static_cast<int>(width);
  feed.angles = CosSinRows{.rotary_dim = full ? dim : 2 * dim, .layout = full ? RowLayout::full : RowLayout::half};
  return feed;
}

AngleFeed from_parameters(const Recording& recording, const RecordedTable& table, const std::string& set) {
  const Frequencies frequencies = frequencies_of(table, static_cast<int>(inv_freq_of(recording, table).size()));
  columns_of(table, frequencies.rotary_dim / 2);  // has its say before positions are looked for
  const TensorView positions = positions_of(recording, table, set);
  if (table.position_kind != "1d") return rows_of(frequencies, table, positions);
  return {.angles = frequencies, .positions = convert(positions, DType::int32)};
}

// --- rope_parameters ---------------------------------------------------------------------------------------------

double number(const json& parameters, const char* key, double otherwise) {
  const auto it = parameters.find(key);
  return it == parameters.end() || it->is_null() ? otherwise : it->get<double>();
}

Scaling scaling_of(const RecordedTable& table, const std::string& kind) {
  const json& p = table.rope_parameters;
  const double factor = number(p, "factor", 1), length = number(p, "original_max_position_embeddings", 0);
  if (kind == "linear") return Scaling::linear(factor);
  if (kind == "proportional") return Scaling::proportional(table.rotated_pairs, factor);
  if (kind == "llama3")
    return Scaling::llama3(factor, number(p, "low_freq_factor", 1), number(p, "high_freq_factor", 4), length);
  if (kind == "yarn") return Scaling::yarn(factor, length, number(p, "beta_fast", 32), number(p, "beta_slow", 1));
  const bool plain = kind == "default" || kind == "axial" || kind == "2d_coords";
  if (plain || (kind == "dynamic" && p.contains("alpha"))) return {};  // alpha is spent on the base
  nothing_to_feed(table, fmt::format("rope_type {} is not among those recorded here", kind));
}

}  // namespace

const char* name_of(Feed feed) {
  return feed == Feed::rows ? "cos and sin rows" : feed == Feed::inv_freq ? "inv_freq" : "rope parameters";
}

AngleFeed angles_from(Feed feed, const Recording& recording, const RecordedTable& table, const std::string& set,
                      DType dtype) {
  if (feed == Feed::rows) return recorded_rows(recording, table, set, dtype);
  if (feed == Feed::parameters) return from_parameters(recording, table, set);
  const auto frequencies = Frequencies::inv_freq(inv_freq_of(recording, table), table.attention_scaling);
  columns_of(table, frequencies.rotary_dim / 2);
  return rows_of(frequencies, table, positions_of(recording, table, set));
}

Frequencies frequencies_of(const RecordedTable& table, int count) {
  const json& p = table.rope_parameters;
  const int dim = 2 * count;
  double base = number(p, "rope_theta", 0);
  if (p.contains("alpha")) base *= std::pow(p["alpha"].get<double>(), static_cast<double>(dim) / (dim - 2));
  Scaling scaling = scaling_of(table, p.value("rope_type", "default"));
  scaling.attention_factor = table.attention_scaling;
  return Frequencies::theta(base, dim, scaling);
}

double frequency_distance(const Recording& recording, const RecordedTable& table) {
  const std::vector<float> recorded = inv_freq_of(recording, table);
  const std::vector<float> computed = frequencies_of(table, static_cast<int>(recorded.size())).rounded();
  double worst = 0;
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const double distance = std::abs(static_cast<double>(computed[i]) - recorded[i]);
    worst = std::max(worst, recorded[i] == 0 ? distance : distance / std::abs(recorded[i]));
  }
  return worst;
}

}  // namespace ropeline::tools::golden
