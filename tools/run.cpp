#include "tools/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "ropeline/error.h"
#include "ropeline/executor.h"
#include "ropeline/version.h"
#include "tools/op.h"
#include "tools/run_call.h"

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

std::string where(Device device, int threads) {
  if (device.kind == Device::Kind::cuda)
    return fmt::format("{}, {}", to_string(device), cuda_devices().at(static_cast<std::size_t>(device.index)));
  return fmt::format("{}, {} thread{}", to_string(device), threads, threads == 1 ? "" : "s");
}

// The op of the words or, when they name none, of the call that `--out` wrote.
std::string op_name(const RunWords& words) {
  if (!words.op.empty()) return words.op;
  Metadata metadata;
  if (!words.tensors.empty()) metadata = SafeTensors::read(words.tensors).metadata();
  const auto op = metadata.find("op");
  return op == metadata.end() ? kQkNormRope.name : op->second;
}

}  // namespace

std::string recorded_spec(const RunWords& words) {
  const SafeTensors file = SafeTensors::read(words.tensors);
  const auto spec = file.metadata().find("spec");
  if (spec == file.metadata().end())
    throw Error(ErrorKind::invalid_argument,
                fmt::format("{}: no spec in its metadata; give --spec, --config or heads", words.tensors));
  return spec->second;
}

std::string report(const RunWords& words, const Ran& ran) {
  std::string text = fmt::format("op        {}\n", words.op);
  text += fmt::format("spec      {}\n", ran.spec);
  text += fmt::format("device    {}\n", where(ran.device, words.threads));
  text += fmt::format("time      {:.2f} us a call\n", ran.microseconds);
  for (const auto& [name, tensor] : ran.outputs) text += summary(name, tensor);
  if (words.out.empty()) return text;
  write_safetensors(words.out, ran.tensors, {{"op", words.op}, {"ropeline", version()}, {"spec", ran.spec}});
  return text + fmt::format("wrote     {}\n", words.out);
}

std::string run(RunWords words) {
  set_cpu_threads(words.threads);
  words.op = op_name(words);
  return op_of(words.op).run(words);
}

}  // namespace ropeline::tools
