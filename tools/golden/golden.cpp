#include "tools/golden/golden.h"

#include <fmt/format.h>

#include <algorithm>

#include "ropeline/error.h"
#include "ropeline/plan.h"
#include "tests/reference/reference.h"
#include "tools/golden/call.h"
#include "tools/placed.h"

namespace ropeline::tools::golden {
namespace {

constexpr double kFrequencyBound = 2e-6;  // relative; torch's powf is not correctly rounded

std::vector<Tensor> outputs_of(const RecordedCall& call) {
  std::vector<Tensor> outputs;
  for (const CallStream& stream : call.streams) outputs.emplace_back(call.spec.activation, shape_of(stream.in));
  return outputs;
}

class FileRun {
 public:
  FileRun(const Recording& recording, const std::vector<Device>& devices) : recording_(recording), devices_(devices) {
    report_.family = recording.family();
  }

  Report run() {
    for (const RecordedLayer& layer : recording_.layers()) run_layer(layer);
    for (const auto& [name, table] : recording_.tables()) check_frequencies(table);
    for (Feed feed : {Feed::rows, Feed::inv_freq, Feed::parameters})
      if (const std::string fault = report_.of(feed).fault(); !fault.empty())
        report_.faults.push_back(fmt::format("{}: {}", name_of(feed), fault));
    return std::move(report_);
  }

 private:
  void run_layer(const RecordedLayer& layer) {
    std::map<std::string, StreamGroup> families;
    for (const RecordedStream& stream : layer.streams) families[stream.family()].push_back(&stream);
    for (auto& [name, streams] : families) {
      const auto rank = [](const RecordedStream* stream) { return std::string("qkv").find(stream->role()); };
      std::sort(streams.begin(), streams.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
      run_group(layer, streams);
    }
  }

  // Together if that is supported; otherwise v apart, then each alone, so that one odd stream hides no other.
  void run_group(const RecordedLayer& layer, const StreamGroup& streams) {
    const std::string obstacle = obstacle_of(layer, streams);
    if (obstacle.empty()) return run_streams(layer, streams);
    const auto is_v = [](const RecordedStream* stream) { return stream->role() == 'v'; };
    if (streams.size() > 2 && std::any_of(streams.begin(), streams.end(), is_v)) {
      StreamGroup v, others;
      for (const RecordedStream* stream : streams) (is_v(stream) ? v : others).push_back(stream);
      run_group(layer, others);
      return run_group(layer, v);
    }
    const auto refused = [&](const RecordedStream* stream) { return !obstacle_of(layer, {stream}).empty(); };
    if (std::all_of(streams.begin(), streams.end(), refused)) return refuse(layer, streams, obstacle, Feed::rows);
    for (const RecordedStream* stream : streams) run_group(layer, {stream});
  }

  std::string obstacle_of(const RecordedLayer& layer, const StreamGroup& streams) const try {
    if (!can_share(recording_, layer, streams)) return "the streams cover different tokens";
    for (const RecordedCall& call :
         calls_of(recording_, layer, streams, DType::bf16, layer.sets.at("bf16").at(0), Feed::rows))
      if (const Support answer = supports(call.spec, Device::cpu()); !answer) return answer.reason;
    return {};
  } catch (const Error& error) {
    return error.what();
  }

  void run_streams(const RecordedLayer& layer, const StreamGroup& streams) {
    for (const auto& [dtype, sets] : layer.sets)
      for (const std::string& set : sets)
        for (Feed feed : {Feed::rows, Feed::inv_freq, Feed::parameters})
          if (wanted(layer, streams, dtype, set, feed)) run_case(layer, streams, dtype, set, feed);
  }

  // Streams without positions run once. Parameters alone are judged where an ulp of a frequency is small: near 0.
  static bool wanted(const RecordedLayer& layer, const StreamGroup& streams, const std::string& dtype,
                     const std::string& set, Feed feed) {
    const bool rotates = std::any_of(streams.begin(), streams.end(), [](auto* s) { return find_step(*s, "rope"); });
    if (!rotates) return feed == Feed::rows && set == layer.sets.at(dtype).back();
    return feed != Feed::parameters || (dtype == "bf16" && set == "small");
  }

  void run_case(const RecordedLayer& layer, const StreamGroup& streams, const std::string& dtype,
                const std::string& set, Feed feed) try {
    for (const RecordedCall& call :
         calls_of(recording_, layer, streams, dtype == "bf16" ? DType::bf16 : DType::fp32, set, feed))
      run_call(call, report_.of(feed));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported)
      report_.faults.push_back(fmt::format("{} {} {}: {}", layer.name, names_of(streams), name_of(feed), error.what()));
    else
      refuse(layer, streams, error.what(), feed);
  }

  void run_call(const RecordedCall& call, Judgement& judgement) {
    const std::vector<Tensor> meaning = outputs_of(call);
    reference::run(call.spec, args_of(call, meaning));
    for (std::size_t i = 0; i < meaning.size(); ++i)
      judgement.add(meaning[i], call.streams[i].recorded,
                    fmt::format("{}, stream {}", call.what, call.streams[i].name));
    for (Device device : devices_) {
      const Plan plan = prepare(call.spec, device);
      const std::vector<Tensor> outputs = outputs_of(call);
      const Placed placed(args_of(call, outputs), device);
      plan.run(placed.args());
      placed.fetch();
      for (std::size_t i = 0; i < outputs.size(); ++i) compare(call, device, outputs[i], meaning[i]);
    }
  }

  void compare(const RecordedCall& call, Device device, const Tensor& got, const Tensor& meaning) {
    const std::int64_t bits = bits_that_differ(got, meaning);
    report_.values += got.view().elements();
    report_.bits_differ += bits;
    if (bits != 0)
      report_.faults.push_back(
          fmt::format("{}: {} differs from the reference in {} bits", call.what, to_string(device), bits));
  }

  void check_frequencies(const RecordedTable& table) try {
    const double distance = frequency_distance(recording_, table);
    if (!(distance <= kFrequencyBound))
      report_.faults.push_back(
          fmt::format("table {}: frequencies from rope_parameters are {:.1e} away from inv_freq, {:.0e} is allowed",
                      table.name, distance, kFrequencyBound));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    report_.refusals.push_back({"rope_parameters", error.what(), Feed::parameters});
  }

  void refuse(const RecordedLayer& layer, const StreamGroup& streams, const std::string& reason, Feed feed) {
    const Refusal refusal{fmt::format("{}: {}", layer.name, names_of(streams)), reason, feed};
    const auto same = [&](const Refusal& r) { return r.what == refusal.what && r.reason == reason && r.feed == feed; };
    if (std::none_of(report_.refusals.begin(), report_.refusals.end(), same)) report_.refusals.push_back(refusal);
  }

  const Recording& recording_;
  const std::vector<Device>& devices_;
  Report report_;
};

}  // namespace

Report run(const Recording& recording, const std::vector<Device>& devices) { return FileRun(recording, devices).run(); }

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  if (error) throw Error(ErrorKind::invalid_argument, fmt::format("{}: {}", folder.string(), error.message()));
  if (files.empty())
    throw Error(ErrorKind::invalid_argument, fmt::format("{}: no .safetensors file in it", folder.string()));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace ropeline::tools::golden
