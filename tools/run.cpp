#include "tools/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "ropeline/error.h"
#include "ropeline/executor.h"
#include "ropeline/plan.h"
#include "ropeline/version.h"
#include "tools/call.h"
#include "tools/devices.h"
#include "tools/placed.h"
#include "tools/stopwatch.h"

namespace ropeline::tools {
namespace {

// FNV-1a over the bytes: two machines that print the same number had the same bits.
std::uint64_t digest(const Tensor& tensor) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < tensor.bytes(); ++i) {
    hash ^= std::to_integer<std::uint64_t>(tensor.data()[i]);
    hash *= 0x100000001b3u;
  }
  return hash;
}

std::string summary(const char* name, const Tensor& tensor) {
  if (!tensor) return {};
  const TensorView& view = tensor;
  double sum = 0, low = HUGE_VAL, high = -HUGE_VAL;
  std::int64_t odd = 0;
  for (std::int64_t i = 0; i < view.elements(); ++i) {
    const double x = value_at(view, i);
    if (!std::isfinite(x)) {
      ++odd;
      continue;
    }
    sum += std::abs(x);
    low = std::min(low, x);
    high = std::max(high, x);
  }
  const std::int64_t finite = view.elements() - odd;
  const std::string range =
      finite ? fmt::format("{:.6g} to {:.6g}, mean |x| {:.6g}", low, high, sum / static_cast<double>(finite))
             : "no finite value";
  return fmt::format("{:<9} [{}] {}: {}, {} NaN or Inf, digest {:016x}\n", name, fmt::join(shape_of(view), ", "),
                     name_of(view.dtype), range, odd, digest(tensor));
}

// The spec of the call's words or, when they say nothing of one, that which `--out` wrote beside the tensors.
SourcedSpec source_of(const RunWords& words) {
  if (words.tensors.empty() || words.spec != SpecWords{}) return spec_of(words.spec);
  const SafeTensors file = SafeTensors::read(words.tensors);
  const auto spec = file.metadata().find("spec");
  if (spec == file.metadata().end())
    throw Error(ErrorKind::invalid_argument,
                fmt::format("{}: no spec in its metadata; give --spec, --config or --q and --k", words.tensors));
  return {Spec::from_json(spec->second), {}};
}

Call call_of(const RunWords& words, const SourcedSpec& source) {
  if (!words.tensors.empty()) return call_from(source.spec, SafeTensors::read(words.tensors));
  return made_up_call(source.spec, {.tokens = words.tokens,
                                    .first_position = words.first_position,
                                    .seed = words.seed,
                                    .frequencies = source.frequencies});
}

std::string where(Device device, int threads) {
  if (device.kind == Device::Kind::cuda)
    return fmt::format("{}, {}", to_string(device), cuda_devices().at(static_cast<std::size_t>(device.index)));
  return fmt::format("{}, {} thread{}", to_string(device), threads, threads == 1 ? "" : "s");
}

// Microseconds of a call; on a GPU, of one among many that are queued.
double time_of(const Plan& plan, const Placed& placed) {
  const int calls = plan.device().kind == Device::Kind::cuda ? 200 : 1;
  const auto run_all = [&] {
    for (int i = 0; i < calls; ++i) plan.run(placed.args());
    placed.wait();
  };
  return microseconds(run_all, 3) / calls;
}

void write(const RunWords& words, const Spec& spec, const Call& call) {
  write_safetensors(words.out, call.named(), {{"ropeline", version()}, {"spec", spec.json()}});
}

}  // namespace

std::string run(const RunWords& words) {
  set_cpu_threads(words.threads);
  const SourcedSpec source = source_of(words);
  const Plan plan = prepare(source.spec, device_of(words.device, words.target));
  const Call call = call_of(words, source);
  const Placed placed(call.args(), plan.device());
  const double time = time_of(plan, placed);
  placed.fetch();
  std::string text = fmt::format("spec      {}\n", source.spec.json());
  text += fmt::format("device    {}\n", where(plan.device(), words.threads));
  text += fmt::format("time      {:.2f} us a call\n", time);
  text += summary("q_out", call.q_out) + summary("k_out", call.k_out) + summary("v_out", call.v_out);
  if (words.out.empty()) return text;
  write(words, source.spec, call);
  return text + fmt::format("wrote     {}\n", words.out);
}

}  // namespace ropeline::tools
