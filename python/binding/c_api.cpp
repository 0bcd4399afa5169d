#include "c_api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "env.h"
#include "error.h"
#include "gradient.h"
#include "guarded.h"
#include "registry.h"
#include "ropeline/jit.h"
#include "ropeline/ropeline.h"
#include "spec_fields.h"
#include "stream.h"

namespace ropeline {
namespace {

using Json = nlohmann::ordered_json;

Device device_of(int cuda) { return cuda < 0 ? Device::cpu() : Device::cuda(cuda); }

Json describe(const models::Family& family) {
  return {{"name", family.name},
          {"attention_classes", family.attention_classes},
          {"q_norm", family.q_norm},
          {"k_norm", family.k_norm},
          {"rope_function", family.rope_function}};
}

DType dtype_of(std::string_view name) {
  for (const auto& [dtype, known] : names(DType{}))
    if (known == name) return dtype;
  throw_invalid(text("dtype: ", name, " is not one of fp32, fp16, bf16"));
}

AngleMode angle_mode(std::string_view name) {
  require(name == "exact" || name == "fp32_product", "mode: ", name, " is not one of exact, fp32_product");
  return name == "exact" ? AngleMode::exact : AngleMode::fp32_product;
}

// A spec is the one thing with a parser; its frequencies are read as part of one, and errors name them alone.
Frequencies frequencies_of(const std::string& json) try {
  const Spec spec = Spec::from_json(R"({"q":{"steps":[{"rope":{"angles":{"frequencies":)" + json + "}}}]}}");
  return std::get<Frequencies>(spec.q.rope()->angles);
} catch (const Error& error) {
  const std::string_view sentence = error.what(), outer = "q.steps[0].rope.angles.";
  throw Error(error.kind(), std::string(sentence.substr(sentence.starts_with(outer) ? outer.size() : 0)));
}

void fill_table(const CosSinTable& table, float* cos, float* sin, std::int64_t capacity) {
  const auto size = static_cast<std::int64_t>(table.cos.size());
  require(size <= capacity, "capacity: ", capacity, " floats, the table has ", size);
  std::copy(table.cos.begin(), table.cos.end(), cos);
  std::copy(table.sin.begin(), table.sin.end(), sin);
}

}  // namespace
}  // namespace ropeline

using namespace ropeline;
using binding::give;
using binding::guarded;

const char* ropeline_version() { return ropeline::version(); }

int ropeline_spec_parse(const char* json, const char** printed) {
  return guarded([&] { give(printed, Spec::from_json(json).json()); });
}

int ropeline_spec_register(const char* json, int64_t* id) {
  return guarded([&] { *id = binding::register_spec(Spec::from_json(json)); });
}

int ropeline_spec_of(int64_t id, const char** printed) {
  return guarded([&] { give(printed, binding::spec_of(id).json()); });
}

int ropeline_spec_supports(const char* json, int cuda, const char** reason) {
  return guarded([&] { give(reason, supports(Spec::from_json(json), device_of(cuda)).reason); });
}

int ropeline_spec_prepare(int64_t id, int cuda) {
  return guarded([&] { binding::prepared(id, device_of(cuda)); });
}

int ropeline_spec_gradient(int64_t id, const char** json) {
  return guarded([&] { give(json, binding::gradient_json(binding::spec_of(id))); });
}

int ropeline_families(const char** json) {
  return guarded([&] {
    Json all = Json::array();
    for (const models::Family& family : models::families()) all.push_back(describe(family));
    give(json, all.dump());
  });
}

int ropeline_describe(const char* config, const char* dtype, const char** json) {
  return guarded([&] { give(json, models::describe(config, dtype_of(dtype))); });
}

int ropeline_layer(const char* config, int index, const char* dtype, const char** spec) {
  return guarded([&] { give(spec, models::layer(config, index, dtype_of(dtype)).spec.json()); });
}

int ropeline_cos_sin_table(const char* frequencies, const int64_t* positions, int64_t count, const char* mode,
                           float* cos, float* sin, int64_t capacity) {
  return guarded([&] {
    const std::span rows(positions, static_cast<std::size_t>(count));
    fill_table(cos_sin_table(frequencies_of(frequencies), rows, angle_mode(mode)), cos, sin, capacity);
  });
}

int ropeline_cuda_stream(int cuda, void** stream) {
  return guarded([&] { *stream = binding::current_stream(cuda); });
}

int ropeline_python_prefix(const char* folder) {
  return guarded([&] { jit::add_python_prefix(folder); });
}

int ropeline_cpu_targets(const char** json) {
  return guarded([&] {
    Json names = Json::array();
    for (CpuTarget target : cpu_targets()) names.push_back(name_of(target));
    give(json, names.dump());
  });
}

int ropeline_threads() { return cpu_threads(); }

int ropeline_set_threads(int threads) {
  return guarded([&] { set_cpu_threads(threads); });
}

int ropeline_default_threads(int threads) {
  return guarded([&] {
    if (!env::threads()) set_cpu_threads(threads);
  });
}
