#include "jit_c_api.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "guarded.h"
#include "kernel_parameters.h"
#include "ropeline/jit.h"

namespace ropeline::binding {
namespace {

using Json = nlohmann::ordered_json;

struct Program {
  jit::Source source;
  jit::Options options;
};

Program program_of(const char* json) {
  const Json j = Json::parse(json);
  Program p;
  p.source = {j.at("name"), j.at("text"), j.at("kernels"), {}, j.at("include_folders")};
  for (const auto& [name, text] : j.at("headers").items()) p.source.headers.push_back({name, text});
  p.options.architecture = j.at("architecture");
  p.options.flags = j.at("flags").get<std::vector<std::string>>();
  p.options.minimal = j.at("minimal");
  p.options.pin_compiler = j.at("pin_compiler");
  const double seconds = std::clamp(j.at("compile_limit").get<double>(), 0.001, 1e6);
  p.options.compile_limit = std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
  return p;
}

// Paths and names may have bytes that are no UTF-8.
void give_json(const char** place, const Json& json) {
  give(place, json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json describe(const std::optional<std::vector<Parameter>>& parameters) {
  if (!parameters) return nullptr;
  Json all = Json::array();
  for (const Parameter& p : *parameters) all.push_back({{"type", p.type}, {"offset", p.offset}, {"bytes", p.bytes}});
  return all;
}

Json describe(const jit::Binary& binary, const jit::KernelFacts& k) {
  return {{"expression", k.expression},
          {"symbol", k.symbol},
          {"registers", k.registers},
          {"stack_bytes", k.stack_bytes},
          {"spill_store_bytes", k.spill_store_bytes},
          {"spill_load_bytes", k.spill_load_bytes},
          {"shared_bytes", k.shared_bytes},
          {"parameters", describe(parameters_of(binary, k))}};
}

Json describe(const jit::Binary& binary) {
  Json kernels = Json::array();
  for (const jit::KernelFacts& kernel : binary.kernels) kernels.push_back(describe(binary, kernel));
  return {{"key", binary.key},
          {"architecture", binary.architecture},
          {"compiler", binary.compiler},
          {"kernels", std::move(kernels)}};
}

// A kernel on its device, and where its parameters are in the memory that a launch brings.
struct Launchable {
  jit::Kernel kernel;
  std::vector<unsigned> offsets;
};

struct Loaded {
  jit::Module module;
  std::vector<Launchable> kernels;
};

Launchable launchable(const jit::Module& module, std::size_t index) {
  Launchable one{module.kernel(index), {}};
  if (const auto parameters = parameters_of(module.binary(), one.kernel.facts()))
    for (const Parameter& p : *parameters) one.offsets.push_back(p.offset);
  return one;
}

Loaded* load(const Program& program, void* stream) {
  auto loaded = std::make_unique<Loaded>(Loaded{jit::load(program.source, program.options, stream), {}});
  for (std::size_t i = 0; i < program.source.kernels.size(); ++i)
    loaded->kernels.push_back(launchable(loaded->module, i));
  return loaded.release();
}

void launch(const Launchable& kernel, const RopelineLaunch& how) {
  const auto* memory = reinterpret_cast<const char*>(&how + 1);
  const std::size_t count = kernel.offsets.size();
  std::array<const void*, 32> few;
  std::vector<const void*> many(count < few.size() ? 0 : count + 1);
  const void** addresses = many.empty() ? few.data() : many.data();
  for (std::size_t i = 0; i < count; ++i) addresses[i] = memory + kernel.offsets[i];
  addresses[count] = nullptr;
  kernel.kernel.launch_addresses({.grid = {how.grid[0], how.grid[1], how.grid[2]},
                                  .block = {how.block[0], how.block[1], how.block[2]},
                                  .shared_bytes = how.shared_bytes,
                                  .stream = reinterpret_cast<void*>(how.stream),
                                  .overlap_previous = how.overlap_previous != 0},
                                 addresses);
}

}  // namespace
}  // namespace ropeline::binding

using namespace ropeline;
using namespace ropeline::binding;

int ropeline_jit_build(const char* program, const char** facts, const char** image, int64_t* image_bytes) {
  return guarded([&] {
    const Program p = program_of(program);
    const jit::Build build = jit::build(p.source, p.options);
    Json all = {{"origin", jit::name_of(build.origin)}, {"milliseconds", build.milliseconds}, {"path", build.path}};
    all.update(describe(*build.binary));
    give_json(facts, all);
    thread_local std::shared_ptr<const jit::Binary> kept;
    kept = build.binary;
    *image = kept->image.data();
    *image_bytes = static_cast<int64_t>(kept->image.size());
  });
}

int ropeline_jit_load(const char* program, int device, void* stream, void** module, const char** facts) {
  return guarded([&] {
    const Program p = program_of(program);
    if (device < 0) device = cuda::make_current();
    const cuda::CurrentDevice current(device);
    std::unique_ptr<Loaded> loaded(load(p, stream));
    Json all = {{"device", device}};
    all.update(describe(loaded->module.binary()));
    give_json(facts, all);
    *module = loaded.release();
  });
}

void ropeline_jit_release(void* module) { delete static_cast<Loaded*>(module); }

int ropeline_jit_kernel(const void* module, int index, const void** kernel) {
  return guarded([&] { *kernel = &static_cast<const Loaded*>(module)->kernels.at(index); });
}

int ropeline_jit_allow_shared_bytes(const void* kernel, int bytes) {
  return guarded([&] { static_cast<const Launchable*>(kernel)->kernel.allow_shared_bytes(bytes); });
}

int ropeline_jit_launch(const void* kernel, const RopelineLaunch* how) {
  return guarded([&] { launch(*static_cast<const Launchable*>(kernel), *how); });
}

int ropeline_jit_statistics(const char** json) {
  return guarded([&] {
    const jit::Statistics s = jit::statistics();
    give_json(json, {{"memory_hits", s.memory_hits},
                     {"pack_hits", s.pack_hits},
                     {"read_only_hits", s.read_only_hits},
                     {"cache_hits", s.cache_hits},
                     {"compiles", s.compiles},
                     {"published", s.published},
                     {"not_published", s.not_published},
                     {"bad_entries", s.bad_entries},
                     {"locks_abandoned", s.locks_abandoned}});
  });
}

int ropeline_jit_cache_status(const char** json) {
  return guarded([&] {
    const jit::CacheStatus s = jit::cache_status();
    give_json(json, {{"folder", s.folder}, {"readable", s.readable}, {"writable", s.writable}, {"reason", s.reason}});
  });
}

int ropeline_jit_compiler_status(const char** json) {
  return guarded([&] {
    const jit::CompilerStatus s = jit::compiler_status();
    give_json(json,
              {{"path", s.path}, {"version", s.version}, {"architectures", s.architectures}, {"reason", s.reason}});
  });
}
