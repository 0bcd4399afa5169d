// What the JIT costs the host: compiles, look-ups in memory and on disk with their steps, what the driver takes to load,
// and a launch (that of a plan: launch_bench). Prints one JSON object; bench/jit_peers.py asks the same of other JITs and
// makes the table.
//
//     jit_bench CACHE_FOLDER [ARCHITECTURE]      an empty or absent folder; sm_90, and on a GPU that GPU's
//
// Compiles need NVRTC, loads and launches a GPU. A row that cannot be had says why.

#include <cstdlib>
#include <functional>
#include <optional>

#include "bench/driver_steps.h"
#include "bench/program.h"
#include "cuda/context.h"
#include "cuda/driver.h"
#include "cuda/qk_norm_rope.h"
#include "jit/digest.h"
#include "jit/entry.h"
#include "jit/folder.h"
#include "jit/key.h"
#include "jit/program.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/device_memory.h"
#include "ropeline/plan.h"
#include "ropeline/version.h"
#include "tests/cuda/queue.h"

namespace ropeline::bench {
namespace {

namespace op = ops::qk_norm_rope;

constexpr int kQ = 32, kK = 4, kDim = 128;  // Qwen3-30B-A3B

Spec qwen3() {
  Spec spec = qk_norm_rope({kQ, kK, kDim}, RmsNorm{.eps = 1e-6f}, Rope::neox(Frequencies::theta(1e6, kDim)));
  spec.positions = DType::int32;
  return spec;
}

/// The kernel that peers compile, too. Its number makes it another program, which nobody has seen.
jit::Source scale_source(int number = 0) {
  return {.name = "scale.cu",
          .text =
              "extern \"C\" __global__ void scale(float* y, const float* x, float a, int n) {\n"
              "  const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
              "  if (i < n) y[i] = a * x[i];\n}\n// " +
              std::to_string(number) + "\n",
          .kernels = {"scale"}};
}

struct Setting {
  std::string folder;
  jit::Options options;
  std::string no_compiler, no_device;  // why, or empty

  /// Forgets what is in memory. The cache folder is kept.
  void fresh(bool cached = true) const {
    jit::Config config = jit::default_config();
    config.cache_folder = cached ? folder : std::string();
    jit::configure(config);
  }
};

Setting setting_of(int count, char** words) {
  Setting s;
  s.folder = count > 1 ? words[1] : "";
  s.no_device = cuda::obstacle(0);
  s.options.architecture = s.no_device.empty() ? cuda::architecture(cuda::facts(0)) : count > 2 ? words[2] : "sm_90";
  if (s.no_device.empty()) cuda::make_current();
  return s;
}

// --- compiling ---------------------------------------------------------------------------------------------------

jit::Source one_form(jit::Source source, std::size_t form) {
  source.kernels = {source.kernels.at(form)};
  return source;
}

double compile_us(const Setting& s, const std::function<jit::Source()>& source, int rounds) {
  s.fresh(false);
  return median_us(
      rounds, 1, [&] { keep(jit::build(source(), s.options)); }, [&] { s.fresh(false); });
}

void compile_rows(Rows& rows, Setting& s) {
  rows.part("compile");
  s.fresh(false);
  jit::CompilerStatus status;
  const double opened = once_us([&] { status = jit::compiler_status(); });
  s.no_compiler = status.reason;
  if (!jit::default_config().compile) return rows.not_run("compiles", "ROPELINE_NO_COMPILE is set");
  if (!s.no_compiler.empty()) return rows.not_run("compiles", s.no_compiler);
  rows.add("open NVRTC", opened, status.version);
  int number = 0;
  rows.add("scale, first of the process", compile_us(
                                              s, [&] { return scale_source(++number); }, 1));
  rows.add("scale", compile_us(
                        s, [&] { return scale_source(++number); }, 9));
  const jit::Source all = cuda::qk_norm_rope::source(qwen3());
  for (std::size_t i = 0; i < all.kernels.size(); ++i)
    rows.add("qk_norm_rope, form " + std::to_string(i + 1), compile_us(
                                                                s, [&] { return one_form(all, i); }, 3));
  const std::size_t bytes = jit::build(all, s.options).binary->image.size();
  rows.add("qk_norm_rope, all " + std::to_string(all.kernels.size()) + " forms",
           compile_us(
               s, [&] { return all; }, 3),
           std::to_string(bytes) + " bytes of cubin");
}

// --- look-ups ----------------------------------------------------------------------------------------------------

void lookup_rows_of(Rows& rows, const Setting& s, const std::string& name, const jit::Source& source) {
  s.fresh();
  jit::build(source, s.options);
  rows.add(name + ": build again, in memory", median_us(51, 100, [&] { keep(jit::build(source, s.options)); }));
  s.fresh();
  rows.add(name + ": build from disk", median_us(
                                           51, 1, [&] { keep(jit::build(source, s.options)); }, [&] { s.fresh(); }));
}

/// The steps of a build from disk.
void disk_steps(Rows& rows, const Setting& s, const jit::Source& source) {
  const std::string path = jit::build(source, s.options).path;
  rows.add("step: open the cache folder", median_us(51, 1, [&] { keep(jit::Folder::open_private(s.folder)); }));
  rows.add("step: follow the includes", median_us(51, 1, [&] { keep(jit::resolve(source)); }));
  const jit::Program program = jit::resolve(source);
  const auto make = [&] { return jit::make_key(program, s.options.architecture, s.options, {}); };
  const jit::Key key = make();
  rows.add("step: key, digest included", median_us(51, 1, [&] { keep(make()); }),
           std::to_string(key.text.size()) + " bytes");
  rows.add("step: digest of the key", median_us(51, 1, [&] { keep(jit::sha256(key.text)); }));
  const jit::Folder folder = jit::Folder::open_private(s.folder);
  const std::string file = path.substr(path.rfind('/') + 1);
  rows.add("step: read the entry", median_us(51, 1, [&] { keep(folder.read(file)); }));
  const std::string bytes = folder.read(file).bytes.value();
  rows.add("step: verify the entry", median_us(51, 1, [&] { keep(jit::parse_entry(bytes, key.text, key.digest)); }),
           std::to_string(bytes.size()) + " bytes");
}

void lookup_rows(Rows& rows, const Setting& s) {
  rows.part("look-up");
  auto memo = jit::cached([](int width) { return width; });
  memo(4);
  rows.add("cached, a hit", median_us(51, 1000, [&] { keep(memo(4)); }), s.no_device.empty() ? "" : "asks the driver");
  const Spec spec = qwen3();
  rows.add("qk_norm_rope: names of its kernels", median_us(51, 1, [&] { keep(cuda::qk_norm_rope::source(spec)); }));
  rows.add("qk_norm_rope: table of frequencies", median_us(51, 1, [&] { keep(op::frequency_table(spec)); }));
  if (s.folder.empty() || !s.no_compiler.empty())
    return rows.not_run("builds", s.folder.empty() ? "no CACHE_FOLDER was named" : s.no_compiler);
  lookup_rows_of(rows, s, "scale", scale_source());
  lookup_rows_of(rows, s, "qk_norm_rope", cuda::qk_norm_rope::source(spec));
  disk_steps(rows, s, cuda::qk_norm_rope::source(spec));
}

// --- the driver --------------------------------------------------------------------------------------------------

void prepare_rows(Rows& rows, const Setting& s, const Spec& spec) {
  s.fresh();
  prepare(spec, Device::cuda());
  std::vector<double> disk, ready, gone;
  for (int i = 0; i < 21; ++i) {
    s.fresh();
    std::optional<Plan> plan, second;
    disk.push_back(once_us([&] { plan = prepare(spec, Device::cuda()); }));
    ready.push_back(once_us([&] { second = prepare(spec, Device::cuda()); }));
    second.reset();
    gone.push_back(once_us([&] { plan.reset(); }));
  }
  rows.add("prepare from disk", median(disk));
  rows.add("prepare of a program that is loaded", median(ready));
  rows.add("the end of a plan", median(gone));
}

void load_rows(Rows& rows, const Setting& s) {
  rows.part("load");
  if (!s.no_device.empty()) return rows.not_run("loads and prepare", s.no_device);
  if (s.folder.empty()) return rows.not_run("loads and prepare", "no CACHE_FOLDER was named");
  const jit::Source source = cuda::qk_norm_rope::source(qwen3());
  s.fresh();
  jit::load(source);
  rows.add("load again, in memory", median_us(51, 100, [&] { keep(jit::load(source)); }));
  rows.add("scale: load from disk", median_us(
                                        21, 1, [] { keep(jit::load(scale_source())); }, [&] { s.fresh(); }));
  rows.add("load from disk", median_us(
                                 21, 1, [&] { keep(jit::load(source)); }, [&] { s.fresh(); }));
  driver_steps(rows, *jit::build(source, s.options).binary);
  prepare_rows(rows, s, qwen3());
}

// --- launches ----------------------------------------------------------------------------------------------------

void launch_rows(Rows& rows, const Setting& s) {
  rows.part("run");
  if (!s.no_device.empty()) return rows.not_run("launches", s.no_device);
  s.fresh();
  const cuda::Queue queue;
  const jit::Kernel scale = jit::load(scale_source()).kernel();
  const DeviceMemory x(1024);
  auto* const data = static_cast<float*>(x.data());
  const auto launch = [&] {
    scale.launch({.grid = {1}, .block = {256}, .stream = queue.get()}, data, static_cast<const float*>(data), 1.0f,
                 256);
  };
  rows.add("scale: Kernel::launch", median_us(201, 100, launch, [&] { queue.wait(); }));
}

int run(int count, char** words) {
  Setting s = setting_of(count, words);
  Rows rows;
  compile_rows(rows, s);
  lookup_rows(rows, s);
  load_rows(rows, s);
  launch_rows(rows, s);
  const std::string card = s.no_device.empty() ? cuda::facts(0).name : "none: " + s.no_device;
  std::printf("{\n  \"card\": %s, \"driver\": %d, \"architecture\": \"%s\", \"ropeline\": \"%s\",\n  \"rows\": %s\n}\n",
              Rows::quoted(card).c_str(), s.no_device.empty() ? cuda::require_driver().version : 0,
              s.options.architecture.c_str(), version(), rows.json().c_str());
  return 0;
}

}  // namespace
}  // namespace ropeline::bench

int main(int count, char** words) { return ropeline::bench::run_program(ropeline::bench::run, count, words); }
