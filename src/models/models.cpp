#include "ropeline/models.h"

#include <algorithm>

#include "error.h"
#include "models/table.h"

namespace ropeline::models {
namespace {

// A config and the row that gives it meaning.
struct Model {
  const Row& row;
  Config config;
};

const Row& row_of(const std::string& model_type) {
  std::string known;
  for (const Row* row : table())
    for (const std::string& name : family_of(*row).model_types) {
      if (name == model_type) return *row;
      known += text(known.empty() ? "" : ", ", name);
    }
  throw_unsupported(text("config: model_type \"", model_type, "\" is not one of ", known));
}

std::string model_type_of(const Json& json) {
  const auto found = json.find("model_type");
  require(found != json.end() && found->is_string(), "config: model_type is missing");
  return found->get<std::string>();
}

// The text model's own config. A wrapper's text_config may leave out its model_type.
Model read(std::string_view text) {
  const Json json = parse_config(text);
  const std::string outer = model_type_of(json);
  if (!json.contains("text_config") || json.at("text_config").is_null()) {
    const Row& row = row_of(outer);
    return {row, Config(Json::parse(row.config_defaults), json)};
  }
  const Json& inner = json.at("text_config");
  require(inner.is_object(), "config: text_config ", inner.dump(), " must be an object");
  const Row& row = row_of(inner.contains("model_type") ? model_type_of(inner) : outer);
  return {row, Config(Json::parse(row.config_defaults), inner)};
}

int layers_of(const Config& config) {
  const std::int64_t count = config.positive_integer("num_hidden_layers");
  require(count <= 10000, "config: num_hidden_layers ", count, " must be at most 10000");
  return static_cast<int>(count);
}

std::string kind_of(const Model& model, int index) {
  if (!model.config.has("layer_types")) return model.row.layer_kind(model.config, index);
  const Json& kinds = model.config.at("layer_types");
  const auto i = static_cast<std::size_t>(index);
  require(kinds.is_array() && i < kinds.size() && kinds[i].is_string(), "config: layer_types has no entry for layer ",
          index);
  return kinds[i].get<std::string>();
}

int head_dim_of(const Config& config) {
  if (config.has("head_dim")) return static_cast<int>(config.positive_integer("head_dim"));
  return static_cast<int>(config.positive_integer("hidden_size") / config.positive_integer("num_attention_heads"));
}

Heads heads_of(const Config& config) {
  const std::int64_t q = config.positive_integer("num_attention_heads");
  const std::int64_t k = config.has("num_key_value_heads") ? config.positive_integer("num_key_value_heads") : q;
  return {static_cast<int>(q), static_cast<int>(k), head_dim_of(config)};
}

Norm norm_of(const Row& row, const Config& config) {
  Norm norm = row.norm;
  norm.eps = static_cast<float>(config.number(row.eps_field));
  require(norm.eps > 0, "config: ", row.eps_field, " ", norm.eps, " must be above 0");
  return norm;
}

Layer layer_of(const Model& model, int index, DType dtype) {
  const auto& [row, config] = model;
  const Heads heads = heads_of(config);
  const std::string kind = kind_of(model, index);
  const Frequencies angles = frequencies(row.rope_parameters(config, kind), config, heads.head_dim);
  const Rope rope{.style = row.style, .angles = CosSinRows{.rotary_dim = heads.head_dim, .layout = row.layout}};
  Spec spec = qk_norm_rope(heads, norm_of(row, config), rope, Rounding::model(row.cast, row.arithmetic));
  spec.activation = spec.weight = spec.table = dtype;
  return {std::move(spec), angles, kind};
}

void check(DType dtype) {
  const bool legal = dtype == DType::fp32 || dtype == DType::fp16 || dtype == DType::bf16;
  require(legal, "dtype: ", name_of(dtype), " must be fp32, fp16 or bf16");
}

}  // namespace

std::vector<Family> families() {
  std::vector<Family> families;
  for (const Row* row : table()) families.push_back(family_of(*row));
  return families;
}

Family family(std::string_view config_json) { return family_of(read(config_json).row); }

int layers(std::string_view config_json) { return layers_of(read(config_json).config); }

Layer layer(std::string_view config_json, int index, DType dtype) {
  check(dtype);
  const Model model = read(config_json);
  const int count = layers_of(model.config);
  require(index >= 0 && index < count, "index: ", index, " must be from 0 to ", count - 1);
  return layer_of(model, index, dtype);
}

std::string describe(std::string_view config_json, DType dtype) {
  check(dtype);
  const Model model = read(config_json);
  const Family family = family_of(model.row);
  Json list = Json::array();
  for (int i = 0; i < layers_of(model.config); ++i) {
    const Layer layer = layer_of(model, i, dtype);
    list.push_back({{"kind", layer.kind}, {"spec", layer.spec.json()}});
  }
  return Json{{"family", family.name},   {"attention_classes", family.attention_classes}, {"q_norm", family.q_norm},
              {"k_norm", family.k_norm}, {"rope_function", family.rope_function},         {"layers", list}}
      .dump();
}

}  // namespace ropeline::models
