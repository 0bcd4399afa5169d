#include "tools/golden/call.h"

#include <fmt/format.h>

#include <algorithm>

#include "ropeline/error.h"

namespace ropeline::tools::golden {
namespace {

using nlohmann::json;

const char* file_name(DType dtype) { return dtype == DType::bf16 ? "bf16" : "f32"; }

std::string at(const RecordedLayer& layer, DType dtype, const std::string& tensor) {
  return fmt::format("{}.{}.{}", layer.name, file_name(dtype), tensor);
}

const TensorView& input_of(const Recording& recording, const RecordedLayer& layer, const RecordedStream& stream) {
  return recording.file().at(at(layer, DType::bf16, stream.input));
}

// Tokens at the front that the rope leaves alone.
std::int64_t unrotated(const RecordedStream& stream) {
  const json* rope = find_step(stream, "rope");
  return rope ? rope->value("skip_tokens", 0) : 0;
}

// The row of the table that belongs to the first rotated token, of a table with so many rows.
std::int64_t first_row(const RecordedStream& stream, std::int64_t rows, std::int64_t tokens) {
  const json* rope = find_step(stream, "rope");
  if (!rope) return 0;
  if (rope->contains("rows")) return (*rope)["rows"].at(0);
  return rope->value("tail", false) ? rows - tokens : 0;
}

Tensor parameter(const Recording& recording, const RecordedLayer& layer, const RecordedStream& stream, const char* key,
                 DType dtype) {
  const json* norm = find_step(stream, "norm");
  if (!norm || !norm->contains(key)) return {};
  return convert(recording.file().at(layer.name + "." + (*norm)[key].get<std::string>()), dtype);
}

std::string output_name(const RecordedStream& stream, const std::string& set) {
  return stream.rotated && !set.empty() ? set + "." + stream.name + "_out" : stream.name + "_out";
}

CallStream stream_of(const Recording& recording, const RecordedLayer& layer, const RecordedStream& stream, DType dtype,
                     const std::string& set) {
  const TensorView& input = recording.file().at(at(layer, dtype, stream.input));
  CallStream call{.name = stream.name, .role = stream.role(), .memory = convert(input, dtype)};
  call.in = call.memory;
  call.in.shape[2] = head_dim(stream, input);  // a gate stays where it is, between the heads
  call.weight = parameter(recording, layer, stream, "weight", dtype);
  call.bias = parameter(recording, layer, stream, "bias", dtype);
  call.recorded = convert(recording.file().at(at(layer, dtype, output_name(stream, set))), dtype);
  return call;
}

void cut(CallStream& stream, std::int64_t first, std::int64_t last) {
  stream.in = slice(stream.in, first, last);
  stream.recorded = convert(slice(stream.recorded, first, last), stream.recorded.view().dtype);
}

TensorView rows_for(const Tensor& table, std::int64_t first, std::int64_t count) {
  return table ? slice(table, first, first + count) : TensorView();
}

struct Builder {
  const Recording& recording;
  const RecordedLayer& layer;
  const StreamGroup& streams;
  DType dtype;
  const std::string& set;

  // Tokens [first, last) with the rope, or without it where `angles` is null.
  RecordedCall call(std::int64_t first, std::int64_t last, const AngleFeed* angles, const char* feed) const {
    RecordedCall call{.what = fmt::format("{}.{}{}{}, {}, {}", layer.name, file_name(dtype), set.empty() ? "" : ".",
                                          set, names_of(streams), feed)};
    Setting setting{.dtype = dtype, .angles = {}, .table = DType::fp32};
    if (angles) {
      call.angles = *angles;
      setting.angles = angles->angles;
      setting.table = angles->table;
    }
    call.spec = express(layer, streams, recording, setting);
    for (const RecordedStream* stream : streams) {
      call.streams.push_back(stream_of(recording, layer, *stream, dtype, set));
      cut(call.streams.back(), first, last);
    }
    if (angles) take_rows(call, last - first);
    return call;
  }

  void take_rows(RecordedCall& call, std::int64_t count) const {
    const Tensor& table = call.angles.cos ? call.angles.cos : call.angles.positions;
    for (const RecordedStream* stream : streams) {
      if (!find_step(*stream, "rope")) continue;
      const std::int64_t row = first_row(*stream, table.view().shape[0], count);
      call.cos = rows_for(call.angles.cos, row, count);
      call.sin = rows_for(call.angles.sin, row, count);
      call.positions = rows_for(call.angles.positions, row, count);
    }
  }
};

}  // namespace

bool can_share(const Recording& recording, const RecordedLayer& layer, const StreamGroup& streams) {
  const auto facts = [&](const RecordedStream* stream) {
    const json* rope = find_step(*stream, "rope");
    return std::tuple(input_of(recording, layer, *stream).shape[0], unrotated(*stream),
                      rope ? rope->value("rows", json()) : json(), rope && rope->value("tail", false));
  };
  return std::all_of(streams.begin(), streams.end(), [&](auto* stream) { return facts(stream) == facts(streams[0]); });
}

std::vector<RecordedCall> calls_of(const Recording& recording, const RecordedLayer& layer, const StreamGroup& streams,
                                   DType dtype, const std::string& set, Feed feed) {
  const Builder build{recording, layer, streams, dtype, set};
  const std::int64_t tokens = input_of(recording, layer, *streams[0]).shape[0], skip = unrotated(*streams[0]);
  const bool rotates = std::any_of(streams.begin(), streams.end(), [](auto* s) { return find_step(*s, "rope"); });
  if (!rotates) return {build.call(0, tokens, nullptr, "no angles")};
  const AngleFeed angles = angles_from(feed, recording, recording.table(layer.table), set, dtype);
  std::vector<RecordedCall> calls;
  if (skip > 0) calls.push_back(build.call(0, skip, nullptr, "unrotated tokens"));
  calls.push_back(build.call(skip, tokens, &angles, name_of(feed)));
  return calls;
}

Args args_of(const RecordedCall& call, const std::vector<Tensor>& outputs) {
  Args args;
  for (std::size_t i = 0; i < call.streams.size(); ++i) {
    const CallStream& stream = call.streams[i];
    const bool q = stream.role == 'q', k = stream.role == 'k';
    (q ? args.q : k ? args.k : args.v) = stream.in;
    (q ? args.q_out : k ? args.k_out : args.v_out) = outputs[i];
    (q ? args.q_weight : k ? args.k_weight : args.v_weight) = stream.weight;
    (q ? args.q_bias : k ? args.k_bias : args.v_bias) = stream.bias;
  }
  args.cos = call.cos;
  args.sin = call.sin;
  args.positions = call.positions;
  return args;
}

}  // namespace ropeline::tools::golden
