// What a cold `prepare` spends in the compiler: milliseconds for all forms of a spec in one program, and for each form
// alone. Needs NVRTC and no GPU. Prints one JSON object.
//
//     qk_norm_rope_compile_bench [ARCHITECTURE]
//
// Nothing is cached. `first` is the first compile of the process, after the library has been opened; the others are the
// least of several, because other work on the machine only adds.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "bench/program.h"
#include "cuda/qk_norm_rope.h"
#include "ropeline/jit.h"

namespace ropeline::bench {
namespace {

constexpr int kRounds = 9;

struct Milliseconds {
  double wall, cpu;  // cpu: of all threads
};

double cpu_now() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

jit::Build compiled(const jit::Source& source, const std::string& architecture) {
  jit::Config config = jit::default_config();
  config.cache_folder = {};
  jit::configure(config);
  return jit::build(source, {.architecture = architecture});
}

Milliseconds once(const jit::Source& source, const std::string& architecture) {
  const double before = cpu_now();
  const auto start = std::chrono::steady_clock::now();
  compiled(source, architecture);
  return {std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count(),
          cpu_now() - before};
}

Milliseconds least(const jit::Source& source, const std::string& architecture) {
  Milliseconds best = once(source, architecture);
  for (int round = 1; round < kRounds; ++round) {
    const Milliseconds next = once(source, architecture);
    best = {std::min(best.wall, next.wall), std::min(best.cpu, next.cpu)};
  }
  return best;
}

/// Qwen3-30B-A3B: 32 and 4 heads of 128, bf16.
Spec spec_of(Style style) {
  Spec spec = qk_norm_rope({32, 4, 128}, RmsNorm{}, {.style = style, .angles = Frequencies::theta(1e6, 128)});
  spec.positions = DType::int32;
  return spec;
}

void print(const char* name, Milliseconds each, std::size_t bytes, const char* end) {
  std::printf("    {\"program\": \"%s\", \"wall_ms\": %.1f, \"cpu_ms\": %.1f, \"cubin_bytes\": %zu}%s\n", name,
              each.wall, each.cpu, bytes, end);
  std::fflush(stdout);
}

void print_style(Style style, const std::string& architecture) {
  const jit::Source all = cuda::qk_norm_rope::source(spec_of(style));
  for (const std::string& kernel : all.kernels) {
    jit::Source one = all;
    one.kernels = {kernel};
    print(kernel.c_str(), least(one, architecture), compiled(one, architecture).binary->image.size(), ",");
  }
  print("all forms", least(all, architecture), compiled(all, architecture).binary->image.size(), "");
}

int run(int count, char** words) {
  const std::string architecture = count > 1 ? words[1] : "sm_90";
  const jit::CompilerStatus compiler = jit::compiler_status();
  if (compiler.version.empty()) return std::printf("%s\n", compiler.reason.c_str()), 3;
  std::printf("{\n  \"nvrtc\": \"%s\", \"architecture\": \"%s\",\n", compiler.version.c_str(), architecture.c_str());
  const Milliseconds first = once(cuda::qk_norm_rope::source(spec_of(Style::neox)), architecture);
  std::printf("  \"first_wall_ms\": %.1f, \"first_cpu_ms\": %.1f,\n", first.wall, first.cpu);
  const jit::Source nothing{.name = "nothing.cu", .text = "__global__ void nothing() {}\n", .kernels = {"nothing"}};
  std::printf("  \"empty_kernel_ms\": %.1f,\n", least(nothing, architecture).wall);
  for (const Style style : {Style::neox, Style::interleaved}) {
    std::printf("  \"%s\": [\n", style == Style::neox ? "neox" : "interleaved");
    print_style(style, architecture);
    std::puts(style == Style::neox ? "  ]," : "  ]");
  }
  std::puts("}");
  return 0;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::run_program(ropeline::bench::run, count, words); }
