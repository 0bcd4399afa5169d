// What a plan costs on a GPU: microseconds of a launch beside an in-place copy of the same bytes, of the host for a
// run, and milliseconds to prepare. Prints one JSON object; bench/results/ keeps some.
//
//     qk_norm_rope_cuda_bench CACHE_FOLDER                 an empty or absent folder, so that the first prepare
//     compiles qk_norm_rope_cuda_bench CACHE_FOLDER STYLE TOKENS    one row: neox or interleaved
//
// Launches are timed inside graphs, each row in a process of its own, because times of few tokens depend on how memory
// happens to be mapped. `hot`: each launch has the same buffers. `cold`: each has q, k, weights, positions and
// frequencies of its own, and before each graph the L2 is swept by reads. The copy reads and writes the same bytes of q
// and k in place, 16 a thread.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/program.h"
#include "cuda/context.h"
#include "kernels/shared/qk_norm_rope_launch.h"
#include "ropeline/device_memory.h"
#include "ropeline/jit.h"
#include "ropeline/plan.h"
#include "ropeline/version.h"
#include "tests/cuda/queue.h"

namespace ropeline::bench {
namespace {

constexpr int kQ = 32, kK = 4, kV = 4, kDim = 128, kRounds = 11;
constexpr std::int64_t kRow = (kQ + kK + kV) * kDim;  // of a token, packed: v lies between two tokens, untouched
constexpr std::int64_t kUsed = (kQ + kK) * kDim;
constexpr std::int64_t kMostSets = 192, kPositions = 1 << 20;
constexpr std::size_t kPool = std::size_t{640} << 20, kSwept = std::size_t{192} << 20, kWeightPitch = 1 << 17;

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

Style style_of(const std::string& name) { return name == "neox" ? Style::neox : Style::interleaved; }

// --- what runs beside the op

/// fill: bf16 of magnitude 1/2 to 2, either sign with `sign`. sweep: reads all. copy: the q and k of packed tokens.
constexpr const char* kCompanions = R"(
__global__ void fill(unsigned short* x, unsigned long long n, unsigned sign) {
  for (unsigned long long i = blockIdx.x * 256ull + threadIdx.x; i < n; i += gridDim.x * 256ull) {
    unsigned h = (unsigned)i * 2654435761u;
    h ^= h >> 15, h *= 2246822519u, h ^= h >> 13;
    x[i] = (unsigned short)(0x3f00 | (h & (sign | 0xff)));
  }
}
__global__ void sweep(const uint4* x, unsigned long long n, unsigned* sink) {
  unsigned seen = 0;
  for (unsigned long long i = blockIdx.x * 512ull + threadIdx.x; i < n; i += gridDim.x * 512ull) {
    const uint4 word = x[i];
    seen ^= word.x ^ word.y ^ word.z ^ word.w;
  }
  if (seen == 0x12345679u) *sink = seen;
}
__global__ void copy(uint4* x, unsigned used, unsigned row, unsigned long long n) {
  const unsigned long long i = blockIdx.x * 256ull + threadIdx.x;
  if (i >= n) return;
  const unsigned token = (unsigned)(i / used);
  uint4* at = x + (unsigned long long)token * row + (i - (unsigned long long)token * used);
  uint4 word = *at;
  word.x ^= 0x10001u;
  *at = word;
}
)";

/// The companions on one queue, and the memory that a sweep reads.
class Companions {
 public:
  explicit Companions(const cuda::Queue& queue)
      : queue_(queue),
        module_(jit::load({.name = "companions.cu", .text = kCompanions, .kernels = {"fill", "sweep", "copy"}})),
        swept_(kSwept),
        sink_(4) {
    fill(swept_, 0);
  }

  void fill(const DeviceMemory& memory, unsigned sign) const {
    auto* const x = static_cast<unsigned short*>(memory.data());
    module_.kernel(0).launch({{1024}, {256}, 0, queue_.get()}, x, std::uint64_t{memory.bytes() / 2}, sign);
  }
  void sweep() const {
    const void* const x = swept_.data();
    void* const sink = sink_.data();
    module_.kernel(1).launch({{528}, {512}, 0, queue_.get()}, x, std::uint64_t{swept_.bytes() / 16}, sink);
  }
  void copy(void* tokens, std::int64_t count) const {
    const auto n = static_cast<std::uint64_t>(count * kUsed / 8);
    const auto blocks = static_cast<unsigned>((n + 255) / 256);
    module_.kernel(2).launch({{blocks}, {256}, 0, queue_.get()}, tokens, unsigned{kUsed / 8}, unsigned{kRow / 8}, n);
  }

 private:
  const cuda::Queue& queue_;
  jit::Module module_;
  DeviceMemory swept_, sink_;
};

// --- one row

/// Packed tokens on the device, in as many sets as the pool holds; weights and positions for each.
class Operands {
 public:
  Operands(std::int64_t tokens, const Companions& with)
      : tokens_(tokens), data_(kPool), weights_(kMostSets * kWeightPitch), positions_(kPositions * 4) {
    with.fill(data_, 0x8000), with.fill(weights_, 0);
    std::uint32_t state = 1;
    std::vector<std::uint32_t> values(kPositions);
    for (auto& value : values) value = (state = state * 1664525 + 1013904223) >> 15;
    positions_.upload(values.data());
  }

  std::int64_t bytes() const { return tokens_ * kRow * 2; }
  char* tokens(int set) const {
    const std::int64_t pitch = std::max<std::int64_t>(1 << 20, (bytes() + 4095) / 4096 * 4096);
    const std::int64_t sets = std::clamp<std::int64_t>(static_cast<std::int64_t>(kPool) / pitch, 1, kMostSets);
    return static_cast<char*>(data_.data()) + set % sets * pitch;
  }

  /// In place.
  Args args(int set) const {
    const Device on = Device::cuda();
    char* const base = tokens(set);
    char* const weight = static_cast<char*>(weights_.data()) + set % kMostSets * kWeightPitch;
    const std::int64_t first = set * std::int64_t{8192} % (kPositions - tokens_) / 16 * 16;
    return {.q = {base, DType::bf16, {tokens_, kQ, kDim}, {kRow, kDim, 1}, on},
            .k = {base + kQ * kDim * 2, DType::bf16, {tokens_, kK, kDim}, {kRow, kDim, 1}, on},
            .q_weight = {weight, DType::bf16, {kDim}, on},
            .k_weight = {weight + kWeightPitch / 2, DType::bf16, {kDim}, on},
            .positions = {static_cast<char*>(positions_.data()) + first * 4, DType::int32, {tokens_}, on}};
  }

 private:
  std::int64_t tokens_;
  DeviceMemory data_, weights_, positions_;
};

/// Microseconds of one of `count` pieces of work in a graph, before which `prelude` runs: median of the rounds.
template <class Prelude, class Work>
double in_graph(const cuda::Queue& queue, int count, const Prelude& prelude, const Work& work) {
  const cuda::Graph graph(queue, [&] {
    for (int i = 0; i < count; ++i) work(i);
  });
  cuda::Mark start, end;
  std::vector<double> rounds;
  for (int round = -2; round < kRounds; ++round) {
    prelude();
    start.record(queue), graph.launch(queue), end.record(queue);
    queue.wait();
    if (round >= 0) rounds.push_back(end.microseconds_since(start) / count);
  }
  return median(rounds);
}

int launches_of(std::int64_t tokens) {
  const double moved = 4.0 * static_cast<double>(tokens * kUsed);
  return moved < 4e6 ? 192 : moved < 3e7 ? 64 : moved < 1e8 ? 24 : 8;
}

/// A plan for each launch, because its frequencies are the plan's.
std::vector<Plan> plans_of(const Spec& spec, int count) {
  std::vector<Plan> plans;
  for (int i = 0; i < count; ++i) plans.push_back(prepare(spec, Device::cuda()));
  return plans;
}

std::string row(const std::string& style, std::int64_t tokens) {
  const int count = launches_of(tokens);
  const std::vector<Plan> plans = plans_of(spec_of(style_of(style)), count);
  const cuda::Queue queue;
  const Companions companions(queue);
  const Operands operands(tokens, companions);
  double times[4];
  for (const int cold : {0, 1}) {
    const auto prelude = [&] { cold ? companions.sweep() : void(); };
    const auto run = [&](int i) { plans[cold * i].run(operands.args(cold * i), {.cuda = queue.get()}); };
    const auto copy = [&](int i) { companions.copy(operands.tokens(cold * i), tokens); };
    times[2 * cold] = in_graph(queue, count, prelude, run);
    times[2 * cold + 1] = in_graph(queue, count, prelude, copy);
  }
  char text[200];
  std::snprintf(text, sizeof text,
                "{\"tokens\": %lld, \"hot\": %.3f, \"hot_copy\": %.3f, \"cold\": %.3f, \"cold_copy\": %.3f}",
                static_cast<long long>(tokens), times[0], times[1], times[2], times[3]);
  return text;
}

// --- host

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
  const Operands operands(1, Companions(queue));
  const Args args = operands.args(0);
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

/// What is in memory is forgotten.
void use(const std::string& folder) {
  jit::Config config = jit::default_config();
  config.cache_folder = folder;
  jit::configure(config);
}

double prepare_milliseconds(const Spec& spec) {
  return host_microseconds([&] { prepare(spec, Device::cuda()); }) / 1000;
}

void print_prepare(const std::string& folder) {
  use(folder);
  jit::compiler_status();  // opens the compiler, once in a process
  const double cold = prepare_milliseconds(spec_of(Style::neox));
  std::vector<double> disk, memory;
  for (int i = 0; i < kRounds; ++i) {
    use(folder);
    disk.push_back(prepare_milliseconds(spec_of(Style::neox)));
    memory.push_back(prepare_milliseconds(spec_of(Style::neox)));
  }
  std::printf("  \"prepare_compiled_ms\": %.1f, \"prepare_from_disk_ms\": %.2f, \"prepare_from_memory_ms\": %.3f,\n",
              cold, median(disk), median(memory));
}

/// One row, measured by this very program in a process of its own.
std::string row_of_a_process(const std::string& folder, const char* style, int tokens) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");  // of this process, not of the shell
  const std::string command = "'" + program + "' '" + folder + "' " + style + " " + std::to_string(tokens);
  const std::unique_ptr<FILE, int (*)(FILE*)> output(popen(command.c_str(), "r"), pclose);
  char line[200] = {};
  if (!output || !std::fgets(line, sizeof line, output.get())) throw std::runtime_error("no row from " + command);
  return std::string(line, std::strcspn(line, "\n"));
}

void print_rows(const std::string& folder) {
  for (const char* style : {"neox", "interleaved"}) {
    std::printf("  \"%s\": [\n", style);
    for (const int tokens : {1, 4, 16, 64, 128, 256, 1024, 4096, 16384}) {
      std::printf("    %s%s\n", row_of_a_process(folder, style, tokens).c_str(), tokens < 16384 ? "," : "");
      std::fflush(stdout);
    }
    std::puts(style_of(style) == Style::neox ? "  ]," : "  ]");
  }
}

int run(int count, char** words) {
  if (count != 2 && count != 4) return std::fprintf(stderr, "%s CACHE_FOLDER [STYLE TOKENS]\n", words[0]), 2;
  if (const std::string reason = cuda::obstacle(0); !reason.empty()) return std::printf("%s\n", reason.c_str()), 3;
  cuda::make_current();
  if (count == 4) return use(words[1]), std::puts(row(words[2], std::stoll(words[3])).c_str()), 0;
  std::printf("{\n  \"card\": \"%s\", \"driver\": %d, \"ropeline\": \"%s\", \"nvrtc\": \"%s\",\n",
              cuda::facts(0).name.c_str(), cuda::require_driver().version, version(),
              jit::compiler_status().version.c_str());
  print_prepare(words[1]);
  print_host_cost(prepare(spec_of(Style::neox), Device::cuda()));
  print_rows(words[1]);
  std::puts("}");
  return 0;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::run_program(ropeline::bench::run, count, words); }
