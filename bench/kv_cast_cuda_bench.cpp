// Microseconds of kv_cast on a GPU beside a copy that reads and writes as many bytes together, and milliseconds to
// prepare. Prints one JSON object.
//
//     kv_cast_cuda_bench [CACHE_FOLDER]      an empty or absent folder, so that the first prepare compiles
//
// `few` and `many` are the forms of the kernel, of which the plan takes one. Launches are timed inside graphs. `hot`:
// each launch has the same buffers, which the L2 holds when they fit. `cold`: each has buffers of its own, four times
// the L2 in all.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "bench/program.h"
#include "cuda/context.h"
#include "cuda/preparing.h"
#include "ops/kv_cast.h"
#include "ops/kv_cast_launch.h"
#include "ropeline/device_memory.h"
#include "ropeline/jit.h"
#include "ropeline/kv_cast.h"
#include "ropeline/version.h"
#include "tests/cuda/queue.h"

namespace ropeline::bench {
namespace {

constexpr int kHeads = 8, kDim = 128;
constexpr std::int64_t kRow = kHeads * kDim;

KvCastSpec spec() { return {.heads = kHeads, .head_dim = kDim}; }

/// k and v packed, bf16; caches of twice as many rows, of which the tokens take scattered ones; `sets` times over.
class Buffers {
 public:
  Buffers(std::int64_t tokens, int sets)
      : tokens_(tokens),
        sets_(sets),
        inputs_(sets * input_bytes()),
        caches_(sets * cache_bytes()),
        small_(8 + 8 * tokens) {
    std::uint32_t state = 1;
    const auto bits = [&] { return state = state * 1664525 + 1013904223; };
    std::vector<std::uint16_t> values(static_cast<std::size_t>(sets * tokens * 2 * kRow));
    for (auto& value : values) value = static_cast<std::uint16_t>(0x3f00 | (bits() >> 16 & 0x80ff));
    inputs_.upload(values.data());
    std::vector<std::int64_t> words(static_cast<std::size_t>(tokens) + 1);
    const float scales[2] = {0.02f, 0.03f};
    std::copy_n(reinterpret_cast<const std::int64_t*>(scales), 1, words.begin());
    std::iota(words.begin() + 1, words.end(), 0);
    for (std::size_t i = words.size() - 1; i > 1; --i) std::swap(words[i], words[1 + bits() % i]);
    small_.upload(words.data());
  }

  int sets() const { return sets_; }
  std::size_t moved_bytes() const { return static_cast<std::size_t>(tokens_ * 6 * kRow); }

  KvCastArgs args(int i) const {
    const Device on = Device::cuda();
    char* const in = static_cast<char*>(inputs_.data()) + (i % sets_) * input_bytes();
    char* const cache = static_cast<char*>(caches_.data()) + (i % sets_) * cache_bytes();
    char* const small = static_cast<char*>(small_.data());
    const auto input = [&](char* at) {
      return TensorView(at, DType::bf16, {tokens_, kHeads, kDim}, {2 * kRow, kDim, 1}, on);
    };
    const auto rows = [&](char* at) { return TensorView(at, DType::fp8_e4m3, {2 * tokens_, kHeads, kDim}, on); };
    return {.k = input(in),
            .v = input(in + 2 * kRow),
            .k_cache = rows(cache),
            .v_cache = rows(cache + cache_bytes() / 2),
            .k_scale = {small, DType::fp32, {}, on},
            .v_scale = {small + 4, DType::fp32, {}, on},
            .loc = {small + 8, DType::int64, {tokens_}, on},
            .mult = 2};
  }

  char* inputs(int i) const { return static_cast<char*>(inputs_.data()) + (i % sets_) * input_bytes(); }

 private:
  std::size_t input_bytes() const { return static_cast<std::size_t>(tokens_ * 4 * kRow); }
  std::size_t cache_bytes() const { return static_cast<std::size_t>(tokens_ * 4 * kRow); }

  std::int64_t tokens_;
  int sets_;
  DeviceMemory inputs_, caches_, small_;
};

constexpr int kRounds = 11;

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

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

/// Microseconds by the plan, by each form of the kernel, and of the copy.
struct Times {
  double plan, few, many, copy;
};

Times times(const KvCastPlan& plan, const cuda::Queue& queue, const Buffers& buffers, int count) {
  namespace op = ops::kv_cast;
  const jit::Module module = jit::load(kernel_source(plan.spec()));
  const auto run = [&](int i) { plan.run(buffers.args(i), {.cuda = queue.get()}); };
  const auto form = [&](std::size_t index) {
    return [&, index, kernel = module.kernel(index)](int i) {
      const KvCastParams params = op::params(buffers.args(i));
      const op::Launch l = op::launch(op::variants(plan.spec())[index], params.tokens);
      kernel.launch({.grid = cuda::dim3(l.grid), .block = cuda::dim3(l.block), .stream = queue.get()}, params);
    };
  };
  const auto copy = [&](int i) {  // half of them read, half written
    const auto address = [](const void* at) { return reinterpret_cast<cuda::Address>(at); };
    const KvCastArgs args = buffers.args(i);
    cuda::call("cuMemcpyDtoDAsync_v2", address(args.k_cache.data), address(buffers.inputs(i)),
               buffers.moved_bytes() / 2, queue.get());
  };
  return {in_graph(queue, count, run), in_graph(queue, count, form(0)), in_graph(queue, count, form(1)),
          in_graph(queue, count, copy)};
}

void print_times(const KvCastPlan& plan, std::int64_t tokens, const char* end) {
  const cuda::Queue queue;
  const std::int64_t bytes = tokens * 8 * kRow, l2 = cuda::facts(0).l2_bytes;
  const int many = static_cast<int>(std::clamp<std::int64_t>(4 * l2 / bytes, 4, 10'000));
  const Times hot = times(plan, queue, Buffers(tokens, 1), 200);
  const Times cold = times(plan, queue, Buffers(tokens, many), many);
  const auto print = [](const char* name, const Times& t, const char* behind) {
    std::printf("\"%s\": %.3f, \"%s_few\": %.3f, \"%s_many\": %.3f, \"%s_copy\": %.3f%s", name, t.plan, name, t.few,
                name, t.many, name, t.copy, behind);
  };
  std::printf("    {\"tokens\": %lld, ", static_cast<long long>(tokens));
  print("hot", hot, ", ");
  print("cold", cold, "}");
  std::puts(end);
  std::fflush(stdout);
}

double prepare_milliseconds() {
  const auto start = std::chrono::steady_clock::now();
  prepare(spec(), Device::cuda());
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

int run(int count, char** words) {
  if (const std::string reason = cuda::obstacle(0); !reason.empty()) return std::printf("%s\n", reason.c_str()), 3;
  jit::Config config = jit::default_config();
  config.cache_folder = count > 1 ? words[1] : "";
  jit::configure(config);
  jit::compiler_status();  // opens the compiler, once in a process
  cuda::make_current();
  std::printf(
      "{\n  \"card\": \"%s\", \"ropeline\": \"%s\", \"nvrtc\": \"%s\", \"prepare_ms\": %.1f,\n  \"kv_cast\": [\n",
      cuda::facts(0).name.c_str(), version(), jit::compiler_status().version.c_str(), prepare_milliseconds());
  const KvCastPlan plan = prepare(spec(), Device::cuda());
  for (const std::int64_t tokens : {1, 16, 32, 64, 128, 256, 1024, 4096}) print_times(plan, tokens, ",");
  print_times(plan, 16384, "\n  ]\n}");
  return 0;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::run_program(ropeline::bench::run, count, words); }
