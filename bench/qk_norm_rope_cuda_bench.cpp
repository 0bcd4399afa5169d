// What a plan costs on a GPU: microseconds of a launch beside a copy of the same bytes, of the host for a run, and
// milliseconds to prepare. Prints one JSON object; bench/results/ keeps some.
//
//     qk_norm_rope_cuda_bench [CACHE_FOLDER]      an empty or absent folder, so that the first prepare compiles
//
// Launches are timed inside graphs. `hot`: each launch has the same buffers, which the L2 holds when they fit. `cold`:
// each has buffers of its own, four times the L2 in all.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "kernels/shared/qk_norm_rope_launch.h"
#include "ropeline/device_memory.h"
#include "ropeline/jit.h"
#include "ropeline/plan.h"
#include "ropeline/version.h"
#include "tests/cuda/queue.h"

namespace ropeline::bench {
namespace {

constexpr int kQ = 32, kK = 4, kDim = 128, kRounds = 11;
constexpr std::int64_t kRow = (kQ + kK) * kDim;  // q and k of a token, packed

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

template <class Work>
double host_microseconds(const Work& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

Spec spec_of(Style style) {
  Spec spec = qk_norm_rope({kQ, kK, kDim}, RmsNorm{}, {.style = style, .angles = Frequencies::theta(1e6, kDim)});
  spec.positions = DType::int32;
  return spec;
}

/// Packed tokens on the device, `sets` times over. Random bf16 around 1; scattered positions.
class Buffers {
 public:
  Buffers(std::int64_t tokens, int sets)
      : tokens_(tokens), sets_(sets), data_(sets * bytes()), weight_(kDim * 2), positions_(tokens * 4) {
    std::uint32_t state = 1;
    const auto bits = [&] { return state = state * 1664525 + 1013904223; };
    std::vector<std::uint16_t> values(sets * tokens * kRow), weight(kDim, 0x3f80);
    for (auto& value : values) value = static_cast<std::uint16_t>(0x3f00 | (bits() >> 16 & 0x80ff));
    std::vector<std::uint32_t> positions(tokens);
    for (auto& position : positions) position = bits() >> 12;
    data_.upload(values.data()), weight_.upload(weight.data()), positions_.upload(positions.data());
  }

  std::size_t bytes() const { return static_cast<std::size_t>(tokens_ * kRow * 2); }
  int sets() const { return sets_; }
  char* set(int i) const { return static_cast<char*>(data_.data()) + (i % sets_) * bytes(); }

  /// In place.
  Args args(int i) const {
    const Device on = Device::cuda();
    char* const base = set(i);
    const TensorView weight(weight_.data(), DType::bf16, {kDim}, on);
    return {.q = {base, DType::bf16, {tokens_, kQ, kDim}, {kRow, kDim, 1}, on},
            .k = {base + kQ * kDim * 2, DType::bf16, {tokens_, kK, kDim}, {kRow, kDim, 1}, on},
            .q_weight = weight,
            .k_weight = weight,
            .positions = {positions_.data(), DType::int32, {tokens_}, on}};
  }

 private:
  std::int64_t tokens_;
  int sets_;
  DeviceMemory data_, weight_, positions_;
};

/// Microseconds of one of `count` pieces of work in a graph: median of the rounds.
template <class Work>
double in_graph(const cuda::Queue& queue, int count, const Work& work) {
  const cuda::Graph graph(queue, [&] {
    for (int i = 0; i < count; ++i) work(i);
  });
  cuda::Mark start, end;
  std::vector<double> rounds;
  for (int round = -2; round < kRounds; ++round) {
    start.record(queue), graph.launch(queue), end.record(queue);
    queue.wait();
    if (round >= 0) rounds.push_back(end.microseconds_since(start) / count);
  }
  return median(rounds);
}

struct Times {
  double plan, copy;
};

Times times(const Plan& plan, const cuda::Queue& queue, const Buffers& buffers, const Buffers& target, int count) {
  const auto run = [&](int i) { plan.run(buffers.args(i), {.cuda = queue.get()}); };
  const auto copy = [&](int i) {
    const auto address = [&](const Buffers& b) { return reinterpret_cast<cuda::Address>(b.set(i)); };
    cuda::call("cuMemcpyDtoDAsync_v2", address(target), address(buffers), buffers.bytes(), queue.get());
  };
  return {in_graph(queue, count, run), in_graph(queue, count, copy)};
}

void print_times(const Plan& plan, std::int64_t tokens, const char* end) {
  const cuda::Queue queue;
  const std::int64_t bytes = tokens * kRow * 2, l2 = cuda::facts(0).l2_bytes;
  const int many = static_cast<int>(std::clamp<std::int64_t>(4 * l2 / bytes, 4, 25'000));
  const Buffers one(tokens, 1), other(tokens, 1);
  const Times hot = times(plan, queue, one, other, 200);
  const Buffers source(tokens, many), target(tokens, many);
  const Times cold = times(plan, queue, source, target, many);
  std::printf("    {\"tokens\": %lld, \"hot\": %.3f, \"hot_copy\": %.3f, \"cold\": %.3f, \"cold_copy\": %.3f}%s\n",
              static_cast<long long>(tokens), hot.plan, hot.copy, cold.plan, cold.copy, end);
  std::fflush(stdout);
}

/// Host microseconds of a call, of calls that the queue has room for.
template <class Work>
double host_cost(const cuda::Queue& queue, const Work& work) {
  std::vector<double> rounds;
  for (int round = 0; round < 51; ++round) {
    rounds.push_back(host_microseconds([&] {
                       for (int i = 0; i < 200; ++i) work();
                     }) /
                     200);
    queue.wait();
  }
  return median(rounds);
}

void print_host_cost(const Plan& plan) {
  const cuda::Queue queue;
  const Buffers buffers(1, 1);
  const Args args = buffers.args(0);
  const double run = host_cost(queue, [&] { plan.run(args, {.cuda = queue.get()}); });
  const kernel::QkNormRopeLaunch argument{};
  const std::string bytes = std::to_string(sizeof argument);
  const jit::Kernel kernel = jit::load({.name = "nothing.cu",
                                        .text = "struct Argument { long long words[" + bytes + " / 8]; };\n" +
                                                "__global__ void nothing(const __grid_constant__ Argument) {}\n",
                                        .kernels = {"nothing"}})
                                 .kernel();
  const double launch = host_cost(queue, [&] {
    kernel.launch({.grid = {1, 9, 1}, .block = {128}, .stream = queue.get()}, argument);
  });
  std::printf("  \"host_run_us\": %.3f, \"host_launch_us\": %.3f,\n", run, launch);
}

double prepare_milliseconds(const Spec& spec) {
  return host_microseconds([&] { prepare(spec, Device::cuda()); }) / 1000;
}

void print_prepare(const std::string& folder) {
  const auto fresh = [&] {
    jit::Config config = jit::default_config();
    config.cache_folder = folder;
    jit::configure(config);
  };
  cuda::make_current();
  fresh();
  jit::compiler_status();  // opens the compiler, once in a process
  const double cold = prepare_milliseconds(spec_of(Style::neox));
  std::vector<double> disk, memory;
  for (int i = 0; i < kRounds; ++i) {
    fresh();
    disk.push_back(prepare_milliseconds(spec_of(Style::neox)));
    memory.push_back(prepare_milliseconds(spec_of(Style::neox)));
  }
  std::printf("  \"prepare_compiled_ms\": %.1f, \"prepare_from_disk_ms\": %.2f, \"prepare_from_memory_ms\": %.3f,\n",
              cold, median(disk), median(memory));
}

int main(int count, char** words) try {
  if (const std::string reason = cuda::obstacle(0); !reason.empty()) return std::printf("%s\n", reason.c_str()), 3;
  std::printf("{\n  \"card\": \"%s\", \"driver\": %d, \"ropeline\": \"%s\", \"nvrtc\": \"%s\",\n",
              cuda::facts(0).name.c_str(), cuda::require_driver().version, version(),
              jit::compiler_status().version.c_str());
  print_prepare(count > 1 ? words[1] : "");
  for (const Style style : {Style::neox, Style::interleaved}) {
    const Plan plan = prepare(spec_of(style), Device::cuda());
    if (style == Style::neox) print_host_cost(plan);
    std::printf("  \"%s\": [\n", style == Style::neox ? "neox" : "interleaved");
    for (const std::int64_t tokens : {1, 16, 64, 128, 256, 1024, 4096}) print_times(plan, tokens, ",");
    print_times(plan, 16384, style == Style::neox ? "\n  ]," : "\n  ]");
  }
  std::puts("}");
  return 0;
} catch (const std::exception& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::main(count, words); }
