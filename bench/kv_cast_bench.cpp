// Microseconds per call of kv_cast on this CPU, beside a copy that reads and writes as many bytes together.
//
//     kv_cast_bench --benchmark_filter=1024
//
// Benchmarks are named contestant/tokens/threads; 8 heads of 128, bf16. The copy always runs on one thread.

#include <benchmark/benchmark.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "ropeline/kv_cast.h"

namespace ropeline::bench {
namespace {

constexpr std::int64_t kHeads = 8, kDim = 128, kRow = kHeads * kDim;

/// k and v apart, and caches of as many rows, which the tokens take from the last to the first.
struct Buffers {
  explicit Buffers(std::int64_t tokens) : k(tokens * kRow), v(tokens * kRow), caches(2 * tokens * kRow), loc(tokens) {
    for (std::size_t i = 0; i < k.size(); ++i)
      k[i] = static_cast<std::uint16_t>(0x3f00 | (i * 2654435761u >> 16 & 0x80ff)), v[i] = k[i] ^ 0x8001;
    std::iota(loc.rbegin(), loc.rend(), 0);
  }

  KvCastArgs args() {
    const auto tokens = static_cast<std::int64_t>(loc.size());
    return {.k = {k.data(), DType::bf16, {tokens, kHeads, kDim}},
            .v = {v.data(), DType::bf16, {tokens, kHeads, kDim}},
            .k_cache = {caches.data(), DType::fp8_e4m3, {tokens, kHeads, kDim}},
            .v_cache = {caches.data() + caches.size() / 2, DType::fp8_e4m3, {tokens, kHeads, kDim}},
            .k_scale = {&scales[0], DType::fp32, {}},
            .v_scale = {&scales[1], DType::fp32, {}},
            .loc = {loc.data(), DType::int64, {tokens}}};
  }

  std::vector<std::uint16_t> k, v;
  std::vector<std::uint8_t> caches;
  std::vector<std::int64_t> loc;
  float scales[2] = {0.02f, 0.03f};
};

std::int64_t moved_bytes(std::int64_t tokens) { return tokens * 6 * kRow; }

void kv_cast(benchmark::State& state, CpuTarget target) {
  Buffers buffers(state.range(0));
  const KvCastArgs args = buffers.args();
  set_cpu_threads(static_cast<int>(state.range(1)));
  const KvCastPlan plan = prepare({.heads = kHeads, .head_dim = kDim}, Device::cpu(target));
  for (auto _ : state) plan.run(args);
  state.SetBytesProcessed(state.iterations() * moved_bytes(state.range(0)));
}

void copy(benchmark::State& state) {
  std::vector<std::byte> from(moved_bytes(state.range(0)) / 2, std::byte{1}), to(from.size());
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * moved_bytes(state.range(0)));
}

void add_all() {
  const auto sizes = [](benchmark::internal::Benchmark* b, std::vector<std::int64_t> threads) {
    b->ArgsProduct({{1, 16, 128, 1024, 4096}, threads})->Unit(benchmark::kMicrosecond)->MinTime(0.05)->UseRealTime();
  };
  for (const CpuTarget target : cpu_targets())
    sizes(benchmark::RegisterBenchmark(std::string(name_of(target)).c_str(),
                                       [=](benchmark::State& state) { kv_cast(state, target); }),
          {1, 2});
  sizes(benchmark::RegisterBenchmark("copy", copy), {1});
}

}  // namespace
}  // namespace ropeline::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  ropeline::bench::add_all();
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}
