// What `Plan::run` costs the host beside the bare launch that it ends in: cuLaunchKernelEx of the same kernel with the
// same argument. Prints a table of microseconds, and one of the steps before the driver, which need no GPU.
//
//     launch_bench CACHE_FOLDER

#include <cstdio>
#include <functional>
#include <optional>

#include "bench/driver_steps.h"
#include "bench/program.h"
#include "cuda/context.h"
#include "cuda/kv_cast.h"
#include "cuda/qk_norm_rope.h"
#include "ops/kv_cast.h"
#include "ops/kv_cast_launch.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/device_memory.h"
#include "ropeline/kv_cast.h"
#include "ropeline/plan.h"
#include "tests/cuda/queue.h"

namespace ropeline::bench {
namespace {

constexpr int kQ = 32, kK = 4, kDim = 128, kRow = (kQ + kK) * kDim;  // Qwen3-30B-A3B
constexpr int kTableRows = 4096;
constexpr int kMultiprocessors = 132;  // where there is no device to ask

/// Zeros on the device; without one, addresses that nothing is read from.
class Memory {
 public:
  explicit Memory(bool on_device) : on_device_(on_device) {}

  TensorView tensor(DType type, std::initializer_list<std::int64_t> shape) {
    std::size_t bytes = size_of(type);
    for (const std::int64_t n : shape) bytes *= static_cast<std::size_t>(n);
    return TensorView(address(bytes), type, shape, Device::cuda());
  }

 private:
  void* address(std::size_t bytes) {
    if (!on_device_) return reinterpret_cast<void*>(++count_ << 40);
    blocks_.emplace_back(bytes).upload(std::vector<char>(bytes).data());
    return blocks_.back().data();
  }

  bool on_device_;
  std::size_t count_ = 0;
  std::vector<DeviceMemory> blocks_;
};

/// A view of some heads of a packed tensor [T, heads, D].
TensorView heads_of(TensorView packed, int first, int count) {
  packed.data = static_cast<char*>(packed.data) + first * kDim * size_of(packed.dtype);
  packed.shape[1] = count;
  return packed;
}

Args packed_args(Memory& memory, std::int64_t tokens) {
  const TensorView qk = memory.tensor(DType::bf16, {tokens, kQ + kK, kDim});
  const TensorView weight = memory.tensor(DType::bf16, {kDim});
  return {.q = heads_of(qk, 0, kQ),
          .k = heads_of(qk, kQ, kK),
          .q_weight = weight,
          .k_weight = weight,
          .positions = memory.tensor(DType::int32, {tokens})};
}

Args separate_args(Memory& memory, std::int64_t tokens) {
  Args args = packed_args(memory, tokens);
  args.q = memory.tensor(DType::bf16, {tokens, kQ, kDim}), args.q_out = memory.tensor(DType::bf16, {tokens, kQ, kDim});
  args.k = memory.tensor(DType::bf16, {tokens, kK, kDim}), args.k_out = memory.tensor(DType::bf16, {tokens, kK, kDim});
  return args;
}

Args cache_args(Memory& memory, std::int64_t tokens) {
  Args args = packed_args(memory, tokens);
  args.cos_sin_cache = memory.tensor(DType::fp32, {kTableRows, kDim});
  return args;
}

KvCastArgs kv_cast_args(Memory& memory, std::int64_t tokens) {
  const auto rows = [&] { return memory.tensor(DType::bf16, {tokens, kK, kDim}); };
  const auto cache = [&] { return memory.tensor(DType::fp8_e4m3, {kTableRows, kK, kDim}); };
  const auto scale = [&] { return memory.tensor(DType::fp32, {1}); };
  return {.k = rows(),
          .v = rows(),
          .k_cache = cache(),
          .v_cache = cache(),
          .k_scale = scale(),
          .v_scale = scale(),
          .loc = memory.tensor(DType::int64, {tokens})};
}

Spec qwen3(Angles angles) {
  Spec spec = qk_norm_rope({kQ, kK, kDim}, RmsNorm{.eps = 1e-6f}, Rope::neox(std::move(angles)));
  spec.positions = DType::int32;
  return spec;
}

/// The last step of a run alone: the launch that the rule gives for the call.
template <class Argument>
class BareLaunch {
 public:
  BareLaunch(const jit::Source& source, int variant, const std::array<unsigned, 3>& grid,
             const std::array<unsigned, 3>& block, const Argument& argument, void* stream)
      : argument_(argument),
        config_{grid[0], grid[1], grid[2], block[0], block[1], block[2], 0, static_cast<cuda::Stream>(stream),
                nullptr, 0} {
    const jit::Module module = jit::load(source);
    const std::string& symbol = module.binary().kernels.at(variant).symbol;
    cuda::KernelHandle kernel = nullptr;
    require_success(d_.library_load(&library_, module.binary().image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    require_success(d_.library_kernel(&kernel, library_, symbol.c_str()));
    require_success(d_.kernel_function(&function_, kernel));
  }
  BareLaunch(const BareLaunch&) = delete;
  BareLaunch& operator=(const BareLaunch&) = delete;
  ~BareLaunch() { d_.library_unload(library_); }

  void operator()() {
    void* arguments[] = {&argument_};
    if (d_.launch(&config_, function_, arguments, nullptr)) throw std::runtime_error("cuLaunchKernelEx failed");
  }

 private:
  const cuda::Driver& d_ = cuda::require_driver();
  Argument argument_;
  cuda::LaunchConfig config_;
  cuda::LibraryHandle library_ = nullptr;
  cuda::Function function_ = nullptr;
};

/// The two by turns, so that a slow moment of the machine meets both. Calls that the queue has room for.
void print_beside(const char* what, const cuda::Queue& queue, const std::function<void()>& run,
                  const std::function<void()>& bare) {
  std::vector<double> runs, bares, differences;
  for (int round = 0; round < 401; ++round) {
    runs.push_back(median_us(1, 100, run)), queue.wait();
    bares.push_back(median_us(1, 100, bare)), queue.wait();
    differences.push_back(runs.back() - bares.back());
  }
  std::printf("| %s | %.3f | %.3f | %.3f |\n", what, median(runs), median(bares), median(differences));
}

void print_run(const char* what, const cuda::Queue& queue, const Spec& spec, const Args& args) {
  namespace op = ops::qk_norm_rope;
  const Plan plan = prepare(spec, Device::cuda());
  const std::vector<Turns> table = op::frequency_table(spec);
  DeviceMemory turns(table.size() * sizeof(Turns));
  turns.upload(table.data());
  const QkNormRopeParams params = op::params(args);
  const op::Argument argument(spec, {static_cast<const Turns*>(turns.data()), op::attention_factor(spec)});
  const op::Launch l = op::LaunchRule(op::variants(spec), cuda::facts(0).multiprocessors)(params);
  BareLaunch bare(cuda::qk_norm_rope::source(spec), l.variant, l.grid, l.block, argument.of(params), queue.get());
  print_beside(what, queue, [&] { plan.run(args, {.cuda = queue.get()}); }, std::ref(bare));
}

void print_run(const char* what, const cuda::Queue& queue, const KvCastSpec& spec, const KvCastArgs& args) {
  namespace op = ops::kv_cast;
  const KvCastPlan plan = prepare(spec, Device::cuda());
  const KvCastParams params = op::params(args);
  const auto variants = op::variants(spec);
  const int form = op::choose(spec, variants, params, cuda::facts(0).multiprocessors);
  const op::Launch l = op::launch(variants[form], params.tokens);
  BareLaunch bare(cuda::kv_cast::source(spec), form, l.grid, l.block, params, queue.get());
  print_beside(what, queue, [&] { plan.run(args, {.cuda = queue.get()}); }, std::ref(bare));
}

void print_runs() {
  cuda::make_current();
  const cuda::Queue queue;
  Memory memory(true);
  const Spec frequencies = qwen3(Frequencies::theta(1e6, kDim)), cache = qwen3(CosSinCache{kDim});
  std::printf(
      "| host microseconds of one of 100 calls in a row, medians of 401 rounds | `Plan::run` | "
      "`cuLaunchKernelEx` | difference |\n|---|--:|--:|--:|\n");
  print_run("1 token, packed", queue, frequencies, packed_args(memory, 1));
  print_run("1024 tokens, packed", queue, frequencies, packed_args(memory, 1024));
  print_run("64 tokens, q and k apart, out of place", queue, frequencies, separate_args(memory, 64));
  print_run("64 tokens, packed, cos_sin_cache", queue, cache, cache_args(memory, 64));
  print_run("kv_cast, 64 tokens", queue, KvCastSpec{.heads = kK, .head_dim = kDim}, kv_cast_args(memory, 64));
}

template <class Work>
double best_ns(const Work& work) {
  double best = 1e9;
  for (int round = 0; round < 301; ++round) best = std::min(best, 1000 * median_us(1, 1000, work));
  return best;
}

void print_steps(const char* what, const Spec& spec, const Args& args) {
  namespace op = ops::qk_norm_rope;
  const op::Contract contract(spec, Device::cuda());
  const op::LaunchRule rule(op::variants(spec), kMultiprocessors);
  const op::Argument argument(spec, {});
  const QkNormRopeParams params = op::params(args);
  std::printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", what, best_ns([&] { op::check(contract, args); }),
              best_ns([&] { keep(op::params(args)); }), best_ns([&] { keep(rule(params)); }),
              best_ns([&] { keep(argument.of(params)); }));
}

void print_all_steps() {
  Memory memory(false);
  const Spec frequencies = qwen3(Frequencies::theta(1e6, kDim)), cache = qwen3(CosSinCache{kDim});
  std::printf(
      "| nanoseconds in a loop of nothing else, best of 301 | check | parameters | rule | argument |\n"
      "|---|--:|--:|--:|--:|\n");
  print_steps("1 token, packed", frequencies, packed_args(memory, 1));
  print_steps("1024 tokens, packed", frequencies, packed_args(memory, 1024));
  print_steps("64 tokens, q and k apart, out of place", frequencies, separate_args(memory, 64));
  print_steps("64 tokens, packed, cos_sin_cache", cache, cache_args(memory, 64));
}

int run(int count, char** words) {
  if (count != 2) return std::fprintf(stderr, "%s CACHE_FOLDER\n", words[0]), 2;
  jit::Config config = jit::default_config();
  config.cache_folder = words[1];
  jit::configure(config);
  print_all_steps();
  if (const std::string reason = cuda::obstacle(0); !reason.empty()) return std::printf("\n%s\n", reason.c_str()), 3;
  std::printf("\n%s, driver %d\n\n", cuda::facts(0).name.c_str(), cuda::require_driver().version);
  print_runs();
  return 0;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::run_program(ropeline::bench::run, count, words); }
