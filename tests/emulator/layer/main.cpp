// The kernel text of one model's layer, run on this CPU in every form, and where there is a GPU the compiled one there,
// against the SIMD code: counts values and differing bits. Exits with 1 when a bit differs.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "emulator/layer/layer.h"
#include "emulator/run.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/plan.h"
#include "tools/call.h"
#include "tools/devices.h"
#include "tools/placed.h"
#include "tools/progress.h"

namespace ropeline::emulator {
namespace {

using tools::Call;

struct Count {
  std::int64_t values = 0, differ = 0;
};

// NaN and -0 included: the calls of this program have none that could differ in spelling.
void compare(Count& count, const std::uint16_t* expected, const std::uint16_t* got, std::int64_t values) {
  for (std::int64_t i = 0; i < values; ++i) count.differ += expected[i] != got[i];
  count.values += values;
}

void compare(Count& count, const tools::Tensor& expected, const tools::Tensor& got) {
  compare(count, expected.as<std::uint16_t>(), got.as<std::uint16_t>(),
          static_cast<std::int64_t>(expected.bytes() / 2));
}

/// The same call as a model with one qkv projection brings it, and every form takes it: q and k of a token side by side
/// in one row, in place.
class PackedCall {
 public:
  explicit PackedCall(const Args& of)
      : args_(of), tokens_(of.q.shape[0]), q_(of.q.shape[1] * of.q.shape[2]), k_(of.k.shape[1] * of.k.shape[2]) {
    rows_.resize(static_cast<std::size_t>(tokens_ * (q_ + k_)));
    args_.q = in_the_rows(of.q, 0), args_.k = in_the_rows(of.k, q_);
    args_.q_out = args_.k_out = {};
    for (std::int64_t t = 0; t < tokens_; ++t) {
      std::copy_n(static_cast<const std::uint16_t*>(of.q.data) + t * q_, q_, row(t));
      std::copy_n(static_cast<const std::uint16_t*>(of.k.data) + t * k_, k_, row(t) + q_);
    }
  }

  const Args& args() const { return args_; }

  void compare_with(const Call& expected, Count& count) {
    for (std::int64_t t = 0; t < tokens_; ++t) {
      compare(count, expected.q_out.as<std::uint16_t>() + t * q_, row(t), q_);
      compare(count, expected.k_out.as<std::uint16_t>() + t * k_, row(t) + q_, k_);
    }
  }

 private:
  std::uint16_t* row(std::int64_t token) { return rows_.data() + token * (q_ + k_); }

  TensorView in_the_rows(const TensorView& of, std::int64_t offset) {
    return {rows_.data() + offset, of.dtype, {tokens_, of.shape[1], of.shape[2]}, {q_ + k_, of.shape[2], 1}};
  }

  Args args_;
  std::int64_t tokens_, q_, k_;  // elements of a token
  std::vector<std::uint16_t> rows_;
};

class Comparison {
 public:
  Comparison() : layer_(layer()), expected_(made_up()) { simd_.run(expected_.args()); }

  /// Whether no bit differs. Prints a line.
  bool with_the_text() const {
    const std::vector<kernel::Variant> variants = ops::qk_norm_rope::variants(layer_.spec);
    return line(fmt::format("{} forms of the kernel text, run on this CPU", variants.size()), [&](Count& count) {
      for (const kernel::Variant& variant : variants)
        for (const bool backward : {false, true}) {
          PackedCall call(expected_.args());
          run({layer_.spec, variant}, call.args(), 4, {.backward = backward});
          call.compare_with(expected_, count);
        }
    });
  }

  bool with(Device gpu) const {
    return line(to_string(gpu) + ", the compiled kernel", [&](Count& count) {
      const Call call = tools::with_fresh_outputs(layer_.spec, expected_);
      const Plan plan = prepare(layer_.spec, gpu);
      const tools::Placed placed(call.args(), gpu);
      plan.run(placed.args());
      placed.fetch();
      compare(count, expected_.q_out, call.q_out);
      compare(count, expected_.k_out, call.k_out);
    });
  }

 private:
  Call made_up() const { return tools::made_up_call(layer_.spec, {.tokens = 24, .frequencies = layer_.frequencies}); }

  template <class Work>
  bool line(const std::string& what, Work work) const {
    const auto start = std::chrono::steady_clock::now();
    Count count;
    work(count);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    fmt::print("{} bf16, {}, against {}: {} values, {} bits differ ({:.1f} s)\n", kModel, what,
               to_string(simd_.device()), tools::grouped(count.values), tools::grouped(count.differ), time.count());
    std::fflush(stdout);
    return count.differ == 0 && count.values > 0;
  }

  models::Layer layer_;
  Plan simd_ = prepare(layer_.spec, Device::cpu());
  Call expected_;
};

int main() {
  const Comparison comparison;
  bool good = comparison.with_the_text();
  for (const Device device : tools::devices())
    if (device.kind == Device::Kind::cuda) good = comparison.with(device) && good;
  return good ? 0 : 1;
}

}  // namespace
}  // namespace ropeline::emulator

int main() try { return ropeline::emulator::main(); } catch (const std::exception& error) {
  std::fprintf(stderr, "emulated_layer: %s\n", error.what());
  return 3;
}
