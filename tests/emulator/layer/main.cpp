// The kernel text of one model's layer, run on this CPU in every form, and where there is a GPU the compiled one there,
// against the SIMD code: counts values and differing bits. Exits with 1 when a bit differs.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>

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
using tools::Tensor;

struct Count {
  std::int64_t values = 0, differ = 0;
};

// NaN and -0 included: the calls of this program have none that could differ in spelling.
void compare(Count& count, const Tensor& expected, const Tensor& got) {
  const auto *a = expected.as<std::uint16_t>(), *b = got.as<std::uint16_t>();
  for (std::size_t i = 0; i < expected.bytes() / 2; ++i) count.differ += a[i] != b[i];
  count.values += static_cast<std::int64_t>(expected.bytes() / 2);
}

class Comparison {
 public:
  Comparison() : layer_(layer()), expected_(made_up()) { simd_.run(expected_.args()); }

  /// Whether no bit differs. Prints a line.
  bool with_the_text() const {
    const std::vector<kernel::Variant> variants = ops::qk_norm_rope::variants(layer_.spec);
    return line(fmt::format("{} forms of the kernel text, run on this CPU", variants.size()), [&](Count& count) {
      for (const kernel::Variant& variant : variants)
        for (const bool backward : {false, true}) {
          const Call call = fresh();
          run({layer_.spec, variant}, call.args(), 4, {.backward = backward});
          compare_outputs(count, call);
        }
    });
  }

  bool with(Device gpu) const {
    return line(to_string(gpu) + ", the compiled kernel", [&](Count& count) {
      const Call call = fresh();
      const Plan plan = prepare(layer_.spec, gpu);
      const tools::Placed placed(call.args(), gpu);
      plan.run(placed.args());
      placed.fetch();
      compare_outputs(count, call);
    });
  }

 private:
  Call made_up() const { return tools::made_up_call(layer_.spec, {.tokens = 24, .frequencies = layer_.frequencies}); }
  Call fresh() const { return tools::with_fresh_outputs(layer_.spec, expected_); }

  void compare_outputs(Count& count, const Call& call) const {
    compare(count, expected_.q_out, call.q_out);
    compare(count, expected_.k_out, call.k_out);
  }

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
