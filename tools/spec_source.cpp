#include "tools/spec_source.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "ropeline/error.h"
#include "ropeline/models.h"

namespace ropeline::tools {
namespace {

[[noreturn]] void wrong(const char* flag, const std::string& value, const char* right) {
  throw Error(ErrorKind::invalid_argument, fmt::format("{}: {} is not {}", flag, value, right));
}

Rounding rounding_of(const std::string& word) {
  if (word == "fused") return Rounding::fused();
  if (word.size() != 2) wrong("--rounding", word, "fused, or two letters such as Ar (cast and arithmetic)");
  return Rounding::model(word[0], word[1]);
}

Style style_of(const std::string& word) {
  if (word == "neox") return Style::neox;
  if (word == "interleaved") return Style::interleaved;
  wrong("--style", word, "neox or interleaved");
}

Angles angles_of(const SpecWords& words, const Frequencies& frequencies) {
  const int dim = frequencies.rotary_dim;
  if (words.angles == "frequencies") return frequencies;
  if (words.angles == "cache") return CosSinCache{dim};
  if (words.angles == "rows") return CosSinRows{.rotary_dim = dim, .layout = RowLayout::dup};
  wrong("--angles", words.angles, "frequencies, cache or rows");
}

std::vector<Step> steps_of(const SpecWords& words, const Frequencies& frequencies) {
  std::vector<Step> steps;
  if (words.norm != "rms" && words.norm != "none") wrong("--norm", words.norm, "rms or none");
  if (words.norm == "rms")
    steps.push_back(RmsNorm{.eps = words.eps,
                            .weight = words.no_weight ? WeightShape::none : WeightShape::row,
                            .weight_offset = words.weight_offset});
  if (frequencies.rotary_dim > 0)
    steps.push_back(Rope{.style = style_of(words.style), .angles = angles_of(words, frequencies)});
  return steps;
}

SourcedSpec from_flags(const SpecWords& words) {
  const int dim = words.rotary_dim < 0 ? words.head_dim : words.rotary_dim;
  const Frequencies frequencies = dim ? Frequencies::theta(words.theta, dim) : Frequencies{};
  Spec spec;
  spec.head_dim = words.head_dim;
  spec.q = {.heads = words.q, .steps = words.q ? steps_of(words, frequencies) : std::vector<Step>()};
  spec.k = {.heads = words.k, .steps = words.k ? steps_of(words, frequencies) : std::vector<Step>()};
  return {spec.with_dtype(dtype_of(words.dtype)).with_rounding(rounding_of(words.rounding)), frequencies};
}

}  // namespace

SourcedSpec spec_of(const SpecWords& words) {
  if (!words.config.empty()) return layer_of(words);
  if (words.spec.empty()) return from_flags(words);
  return {Spec::from_json(json_in(words.spec)), {}};
}

std::string json_in(const std::string& word) { return word.starts_with("@") ? text_of(word.substr(1)) : word; }

SourcedSpec layer_of(const SpecWords& words) {
  const std::string config = config_of(words.config);
  const int count = models::layers(config);
  if (words.layer < 0 || words.layer >= count)
    throw Error(ErrorKind::invalid_argument, fmt::format("--layer: {} must be from 0 to {}", words.layer, count - 1));
  const models::Layer layer = models::layer(config, words.layer, dtype_of(words.dtype));
  return {layer.spec, layer.frequencies};
}

bool names_file(const std::string& word) { return word.find('/') != word.npos || word.ends_with(".json"); }

std::string config_of(const std::string& word) {
  return names_file(word) ? text_of(word) : models::published_config(word);
}

DType dtype_of(const std::string& word) {
  for (DType type : {DType::bf16, DType::fp16, DType::fp32})
    if (word == name_of(type)) return type;
  wrong("--dtype", word, "bf16, fp16 or fp32");
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorKind::invalid_argument, fmt::format("{}: cannot be read", path.string()));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace ropeline::tools
