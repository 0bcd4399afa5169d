#include "tools/golden/timing.h"

#include <fmt/format.h>

#include <cstring>

#include "bench/copy_in_place.h"
#include "ropeline/error.h"
#include "tools/golden/call.h"
#include "tools/stopwatch.h"

namespace ropeline::tools::golden {
namespace {

// Rows of a tensor, again and again, until there are so many.
Tensor repeated(const TensorView& view, std::int64_t rows) {
  if (!view) return {};
  const Tensor once = convert(view, view.dtype);
  std::vector<std::int64_t> shape = shape_of(view);
  const std::size_t bytes = once.bytes() / static_cast<std::size_t>(shape[0]);
  const std::int64_t count = shape[0];
  shape[0] = rows;
  Tensor all(view.dtype, shape);
  for (std::int64_t i = 0; i < rows; ++i) std::memcpy(all.data() + i * bytes, once.data() + i % count * bytes, bytes);
  return all;
}

struct InPlace {
  RecordedCall call;
  std::vector<Tensor> memory;

  InPlace(const RecordedCall& recorded, std::int64_t tokens) : call(recorded) {
    for (CallStream& stream : call.streams) call_on(stream.in, tokens);
    for (TensorView* view : {&call.cos, &call.sin, &call.positions})
      if (*view) call_on(*view, tokens);
  }

  void call_on(TensorView& view, std::int64_t tokens) { view = memory.emplace_back(repeated(view, tokens)); }
};

LayerTime time_call(const std::string& what, const RecordedCall& recorded, const std::vector<CpuTarget>& targets,
                    std::int64_t tokens) {
  LayerTime time{.what = what, .tokens = tokens, .targets = {}};
  const std::vector<Tensor> in_place(recorded.streams.size());
  for (CpuTarget target : targets) {
    const InPlace run(recorded, tokens);
    const Plan plan = prepare(run.call.spec, Device::cpu(target));
    const Args args = args_of(run.call, in_place);
    time.targets[target] = microseconds([&] { plan.run(args); }, 3);
  }
  const InPlace copy(recorded, tokens);
  time.copy = microseconds(
      [&] {
        for (std::size_t i = 0; i < copy.call.streams.size(); ++i)
          bench::copy_in_place(copy.memory[i].data(), copy.memory[i].bytes());
      },
      3);
  return time;
}

// The calls of a layer's q and k, where they are supported.
std::vector<RecordedCall> supported_calls(const Recording& recording, const RecordedLayer& layer,
                                          const StreamGroup& streams) try {
  if (!can_share(recording, layer, streams)) return {};
  auto calls = calls_of(recording, layer, streams, DType::bf16, layer.sets.at("bf16").at(0), Feed::rows);
  return supports(calls.back().spec, Device::cpu()) ? calls : std::vector<RecordedCall>();
} catch (const Error&) {
  return {};  // the golden run has reported why
}

}  // namespace

std::vector<LayerTime> time_layers(const Recording& recording, const std::vector<CpuTarget>& targets,
                                   const std::vector<std::int64_t>& tokens) {
  std::vector<LayerTime> times;
  for (const RecordedLayer& layer : recording.layers()) {
    StreamGroup streams;
    for (const RecordedStream& stream : layer.streams)
      if (stream.name == "q" || stream.name == "k") streams.push_back(&stream);
    const std::vector<RecordedCall> calls = supported_calls(recording, layer, streams);
    if (calls.empty()) continue;
    const std::string what = fmt::format("{} {}: {}", recording.family(), layer.name, names_of(streams));
    for (std::int64_t count : tokens) times.push_back(time_call(what, calls.back(), targets, count));
  }
  return times;
}

}  // namespace ropeline::tools::golden
