#include "tools/programs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "ropeline/device.h"
#include "ropeline/error.h"
#include "ropeline/models.h"
#include "tools/op.h"
#include "tools/spec_source.h"

namespace ropeline::tools {
namespace {

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::invalid_argument, sentence); }

struct Model {
  std::string name, config;
};

// A config.json is called after the folder that it lies in, as models are stored.
Model model_of(const std::string& word) {
  const std::string folder = std::filesystem::absolute(word).parent_path().filename().string();
  return {names_file(word) ? folder : word, config_of(word)};
}

std::vector<Model> models_of(const std::vector<std::string>& words) {
  const bool all = words == std::vector<std::string>{"all"};
  std::vector<Model> list;
  for (const std::string& word : all ? models::published() : words) list.push_back(model_of(word));
  return list;
}

// The heads of one of `parts` ranks. Key heads that are fewer than the ranks are repeated, as engines do.
Spec divided(Spec spec, const std::string& model, int parts) {
  const auto refuse_heads = [&](const char* stream, int heads) {
    refuse(fmt::format("--tp: the {} {} heads of {} cannot be divided by {}", heads, stream, model, parts));
  };
  if (parts < 1 || spec.q.heads % parts != 0) refuse_heads("query", spec.q.heads);
  if (spec.k.heads % parts != 0 && parts % spec.k.heads != 0) refuse_heads("key", spec.k.heads);
  spec.q.heads /= parts;
  spec.k.heads = std::max(1, spec.k.heads / parts);
  return spec;
}

void add_layer(std::vector<NamedSource>& sources, const Model& model, const models::Layer& layer,
               const ProgramWords& words, const std::string& dtype) {
  for (int ranks : words.tensor_parallel) {
    const Spec spec = divided(layer.spec, model.name, ranks);
    for (const std::string& op : words.ops)
      op_of(op).add_programs(sources, {spec, layer.frequencies, model.name, ranks, dtype}, words);
  }
}

// Layers that are alike in all that shapes a program are taken once.
void add_layers(std::vector<NamedSource>& sources, const Model& model, const ProgramWords& words,
                const std::string& dtype) {
  std::vector<models::Layer> known;
  for (int i = 0; i < models::layers(model.config); ++i) {
    models::Layer layer = models::layer(model.config, i, dtype_of(dtype));
    const auto same = [&](const models::Layer& l) {
      return l.spec == layer.spec && l.frequencies == layer.frequencies;
    };
    if (std::ranges::any_of(known, same)) continue;
    add_layer(sources, model, layer, words, dtype);
    known.push_back(std::move(layer));
  }
}

std::vector<NamedSource> sources_of(const ProgramWords& words) {
  if (words.models.empty() && words.specs.empty()) refuse("nothing to compile: name a --model or a --spec");
  for (const std::string& op : words.ops) op_of(op);  // an unknown one is said first
  if (!words.specs.empty() && words.ops.size() != 1)
    refuse(fmt::format("--spec: is of one op, --op names {}", fmt::join(words.ops, " and ")));
  std::vector<NamedSource> sources;
  for (const Model& model : models_of(words.models))
    for (const std::string& dtype : words.dtypes) add_layers(sources, model, words, dtype);
  for (std::size_t i = 0; i < words.specs.size(); ++i)
    sources.push_back({fmt::format("spec {}", i + 1), op_of(words.ops[0]).source_of(json_in(words.specs[i]))});
  return sources;
}

// "qwen3-8b bf16" and, for a program that others have too, "qwen3-8b bf16 and 2 more".
struct Program {
  jit::Source source;
  std::vector<std::string> names;

  std::string name() const {
    return names.size() == 1 ? names[0] : fmt::format("{} and {} more", names[0], names.size() - 1);
  }
};

std::vector<Program> distinct(std::vector<NamedSource> sources) {
  std::vector<Program> programs;
  for (auto& [name, source] : sources) {
    const auto same = [&](const Program& p) {
      return p.source.name == source.name && p.source.kernels == source.kernels;
    };
    auto at = std::ranges::find_if(programs, same);
    if (at == programs.end()) at = programs.insert(at, {std::move(source), {}});
    if (std::ranges::find(at->names, name) == at->names.end()) at->names.push_back(name);
  }
  return programs;
}

}  // namespace

std::vector<Wanted> programs_of(const ProgramWords& words) {
  const auto architectures = words.architectures.empty() ? default_architectures() : words.architectures;
  std::vector<Wanted> wanted;
  for (const Program& program : distinct(sources_of(words)))
    for (const std::string& architecture : architectures)
      wanted.push_back({program.name(), architecture, program.source});
  return wanted;
}

std::vector<std::string> default_architectures() {
  std::vector<std::string> list;
  for (const std::string& device : cuda_devices()) {  // "NVIDIA H100 80GB HBM3, sm_90"
    const std::string architecture = device.substr(device.rfind(' ') + 1);
    if (std::ranges::find(list, architecture) == list.end()) list.push_back(architecture);
  }
  return list.empty() ? kCommonArchitectures : list;
}

}  // namespace ropeline::tools
