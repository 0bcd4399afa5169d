// Microseconds per call of the attention prologue on this CPU, beside a copy of the same bytes and a comparator.
//
//     qk_norm_rope_bench --benchmark_filter='qwen3-30b-a3b/bf16/(128|1024)/1/'
//
// Benchmarks are named model/dtype/tokens/threads/contestant (contestants.h). The column `call` is the time of one
// call, `thread` the same on the calling thread's own clock. bench/run.py runs this program together with PyTorch and
// makes the table of docs/benchmarks.md.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <map>
#include <string>
#include <tuple>

#include "agreement.h"
#include "contestants.h"
#include "ropeline/ropeline.h"
#include "stopwatch.h"

namespace ropeline::bench {
namespace {

/// Calls between two refreshes: enough for the clock, few enough that 32 norm weights in a row drive nothing to 0.
int calls_per_batch(std::int64_t tokens) { return tokens <= 16 ? 32 : tokens <= 128 ? 8 : 2; }

/// All contestants of a case share one workload, which lives to the end: memory is touched once, before any timing.
Workload& workload_of(const Model& model, DType dtype, std::int64_t tokens) {
  static std::map<std::tuple<std::string, DType, std::int64_t>, Workload> all;
  return all.try_emplace({model.name, dtype, tokens}, model, dtype, tokens).first->second;
}

struct Case {
  Model model;
  DType dtype;
  std::int64_t tokens;
  int threads;
};

void time(benchmark::State& state, const Case& at, const Contestant& contestant) {
  Workload& workload = workload_of(at.model, at.dtype, at.tokens);
  set_cpu_threads(at.threads);
  const int calls = calls_per_batch(at.tokens);
  const auto call = contestant.prepare(workload);
  Elapsed sum;
  for (auto _ : state) {
    workload.refresh();
    const Stopwatch watch;
    for (int i = 0; i < calls; ++i) call();
    const Elapsed batch = watch.elapsed();
    state.SetIterationTime(batch.wall);
    sum.wall += batch.wall, sum.thread += batch.thread;
  }
  const double all_calls = static_cast<double>(state.iterations()) * calls;
  state.counters["call"] = sum.wall / all_calls;
  state.counters["thread"] = sum.thread / all_calls;
  state.SetBytesProcessed(state.iterations() * calls * 2 * workload.bytes());
}

void add(const Case& at) {
  for (const Contestant& contestant : contestants()) {
    if (!contestant.enters(Workload(at.model, at.dtype, 1))) continue;
    const std::string name = std::string(at.model.name) + "/" + std::string(name_of(at.dtype)) + "/" +
                             std::to_string(at.tokens) + "/" + std::to_string(at.threads) + "/" + contestant.name;
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { time(state, at, contestant); })
        ->UseManualTime()
        ->MinTime(0.02)
        ->Unit(benchmark::kMicrosecond);
  }
}

void add_all() {
  for (const Model& model : models()) {
    for (const std::int64_t tokens : {1, 16, 128, 1024, 4096}) {
      for (const int threads : {1, 2}) add({model, DType::bf16, tokens, threads});
    }
  }
  for (const DType dtype : {DType::fp16, DType::fp32}) {
    for (const std::int64_t tokens : {1, 128, 1024}) add({models().front(), dtype, tokens, 1});
  }
}

void check_all() {
  for (const Model& model : models()) {
    for (const DType dtype : {DType::bf16, DType::fp16, DType::fp32}) check_agreement(model, dtype);
  }
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  check_all();
  add_all();
  benchmark::AddCustomContext("ropeline", version());
  benchmark::AddCustomContext("cpu_target", std::string(name_of(cpu_targets().front())));
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : 1;
}

}  // namespace
}  // namespace ropeline::bench

int main(int argc, char** argv) try { return ropeline::bench::run(argc, argv); } catch (const std::exception& error) {
  std::fprintf(stderr, "qk_norm_rope_bench: %s\n", error.what());
  return 1;
}
