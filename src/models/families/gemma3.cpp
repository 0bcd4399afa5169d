#include "error.h"
#include "models/families/families.h"

namespace ropeline::models {
namespace {

// Every sixth layer is full. Older files say how many.
std::string layer_kind(const Config& config, int index) {
  const char* field = config.has("_sliding_window_pattern") ? "_sliding_window_pattern" : "sliding_window_pattern";
  return (index + 1) % config.positive_integer(field) ? "sliding_attention" : "full_attention";
}

// Gemma3TextConfig.convert_rope_params_to_dict: rope_scaling and rope_theta are the full layers' alone, and a
// rope_scaling that says `type` instead of `rope_type` beside no rope_parameters scales nothing there.
RopeParameters rope_parameters(const Config& config, const std::string& kind) {
  const bool full = kind == "full_attention";
  const Json all = config.object_or_empty("rope_parameters");
  require(full || kind == "sliding_attention" || all.contains(kind), "rope_parameters: ", kind, " is missing");
  RopeParameters p = all.value(kind, Json());
  if (p.is_null()) p = {{"rope_type", "default"}};
  require(p.is_object(), "rope_parameters: ", kind, " ", p.dump(), " must be an object");
  if (full) p.update(config.object_or_empty("rope_scaling"));
  if (!p.contains("rope_theta")) p["rope_theta"] = config.at(full ? "rope_theta" : "rope_local_base_freq");
  standardize(p, config);
  p["truncate"] = all.value("truncate", Json(true));  // transformers reads it beside the layer types, not in them
  return p;
}

}  // namespace

constinit const Row gemma3 = {
    .name = "gemma3",
    .model_types = {"gemma3_text", "gemma3"},
    .attention_classes = {"Gemma3Attention"},
    .config_defaults = R"({"hidden_size": 2304, "num_hidden_layers": 26, "num_attention_heads": 8,
        "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072, "rms_norm_eps": 1e-6,
        "sliding_window_pattern": 6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0})",
    .norm = {.weight_offset = 1},
    .cast = 'G',
    .arithmetic = 'r',
    .layer_kind = layer_kind,
    .rope_parameters = rope_parameters,
};

}  // namespace ropeline::models
