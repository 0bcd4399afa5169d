#include "tools/info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstdlib>
#include <thread>
#include <vector>

#include "ropeline/executor.h"
#include "ropeline/jit_cache.h"
#include "ropeline/models.h"
#include "ropeline/plan.h"
#include "ropeline/version.h"

namespace ropeline::tools {
namespace {

struct Question {
  const char* step;
  Spec spec;
};

Spec of(std::vector<Step> steps) {
  Spec spec;
  spec.head_dim = 128;
  spec.q = {.heads = 8, .steps = std::move(steps)};
  return spec;
}

Rope rows(Style style = Style::neox) { return {.style = style, .angles = CosSinRows{.rotary_dim = 128}}; }

Spec with_sink(Sink sink) {
  Spec spec = of({RmsNorm{}});
  spec.q.sink = sink;
  return spec;
}

Spec with_v() {
  Spec spec = of({RmsNorm{}});
  spec.v = {.heads = 8, .steps = {RmsNorm{.weight = WeightShape::none}}};
  return spec;
}

Rope with_axes() {
  Rope rope = Rope::neox(Frequencies::theta(1e6, 128));
  rope.axes.assign(64, 0);
  return rope;
}

Rope slice_at_64() {
  Rope rope = rows();
  rope.angles = CosSinRows{.rotary_dim = 64};
  rope.offset = 64;
  return rope;
}

// One small spec for each thing that a spec can say. `supports` gives the answers, so this list cannot go stale.
std::vector<Question> questions() {
  return {{"RmsNorm, then rope", of({RmsNorm{}, rows()})},
          {"RmsNorm alone", of({RmsNorm{}})},
          {"rope alone, NeoX", of({rows()})},
          {"rope alone, interleaved", of({rows(Style::interleaved)})},
          {"norm without weight", of({RmsNorm{.weight = WeightShape::none}})},
          {"weight offset 1 (Gemma)", of({RmsNorm{.weight_offset = 1}})},
          {"L2Norm", of({L2Norm{}})},
          {"angles from frequencies", of({Rope::neox(Frequencies::theta(1e6, 128))})},
          {"angles from a cos_sin_cache", of({Rope::neox(CosSinCache{128})})},
          {"LayerNorm", of({LayerNorm{}})},
          {"a weight row for each head", of({RmsNorm{.weight = WeightShape::row_per_head}})},
          {"norm over all heads", of({RmsNorm{.extent = Extent::all_heads}})},
          {"rope, then norm", of({rows(), RmsNorm{}})},
          {"rotated slice at an offset", of({slice_at_64()})},
          {"M-RoPE axes", of({with_axes()})},
          {"cos and sin for each head", of({Rope::neox(CosSinRows{.rotary_dim = 128, .per_head = true})})},
          {"Scale", of({Scale{}})},
          {"Clamp", of({Clamp{1}})},
          {"a v stream", with_v()},
          {"paged KV cache", with_sink(PagedCache{})}};
}

std::string steps() {
  std::string text = "steps\n";
  for (const Question& question : questions()) {
    const Support answer = supports(question.spec, Device::cpu());
    text += fmt::format("  {:<30}{}\n", question.step, answer ? "yes" : "no: " + answer.reason);
  }
  return text;
}

std::string targets() {
  std::vector<std::string_view> names;
  for (CpuTarget target : cpu_targets()) names.push_back(name_of(target));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string families() {
  std::vector<std::string> names;
  for (const models::Family& family : models::families())
    names.insert(names.end(), family.model_types.begin(), family.model_types.end());
  return fmt::format("{}", fmt::join(names, ", "));
}

constexpr const char* kNextLine = "\n                     ";  // under what stands behind a title

// A line each; the first one starts behind its title, the others under it.
std::string cuda() {
  std::vector<std::string> lines;
  const std::vector<std::string> names = cuda_devices();
  for (int i = 0; i < static_cast<int>(names.size()); ++i) {
    const Support answer = supports(of({RmsNorm{}}), Device::cuda(i));
    lines.push_back(answer ? fmt::format("cuda:{} {}", i, names[static_cast<std::size_t>(i)]) : answer.reason);
  }
  if (lines.empty()) lines.push_back(supports(of({RmsNorm{}}), Device::cuda()).reason);
  return fmt::format("{}", fmt::join(lines, kNextLine));
}

std::string compiler() {
  const jit::CompilerStatus status = jit::compiler_status();
  if (status.reason.empty())
    return fmt::format("{}, {}{}compiles for {}", status.version, status.path, kNextLine,
                       fmt::join(status.architectures, ", "));
  std::string text;
  for (char c : status.reason) c == '\n' ? text += kNextLine : text += c;
  return text;
}

std::string described(const jit::CacheStatus& status) {
  if (status.folder.empty()) return status.reason;
  const char* use = status.writable ? "read and written" : status.readable ? "only read" : "not used";
  return fmt::format("{}, {}{}{}", status.folder, use, status.reason.empty() ? "" : ": ", status.reason);
}

// Every place of the look-up, a line each. A pack that cannot be read stops them all, and the line says so.
std::string kernel_cache() try {
  std::string text = fmt::format("kernel cache         {}\n", described(jit::cache_status()));
  for (const jit::CacheStatus& status : jit::read_only_status())
    text += fmt::format("read-only cache      {}\n", described(status));
  for (const std::string& pack : jit::default_config().packs)
    text += fmt::format("pack                 {}, {} entries\n", pack, jit::packed_entries(pack).size());
  return text;
} catch (const jit::Error& error) {
  return fmt::format("kernel cache         not used: {}\n", error.sentence());
}

std::string driver() {
  const std::string version = cuda_driver_version();
  return version.empty() ? "none" : "for CUDA up to " + version;
}

std::string setting(const char* variable) {
  const char* value = std::getenv(variable);
  return value && *value ? value : "not set";
}

}  // namespace

std::string info() {
  std::string text = fmt::format("ropeline {}\n\n", version());
  text += fmt::format("instruction sets     {} (fastest first, all with the same bits)\n", targets());
  text += fmt::format("ROPELINE_CPU_TARGET  {}\n", setting("ROPELINE_CPU_TARGET"));
  text += fmt::format("threads              {} in use, {} on this machine\n", cpu_threads(),
                      std::thread::hardware_concurrency());
  text += fmt::format("ROPELINE_THREADS     {}\n", setting("ROPELINE_THREADS"));
  text += fmt::format("CUDA driver          {}\n", driver());
  text += fmt::format("GPUs                 {}\n", cuda());
  text += fmt::format("NVRTC                {}\n", compiler());
  text += kernel_cache();
  text += fmt::format("model families       {}\n\n", families());
  return text + steps();
}

}  // namespace ropeline::tools
