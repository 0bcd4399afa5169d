#include "models/families/families.h"

namespace ropeline::models {
namespace {

// Sliding from max_window_layers on, once it is switched on at all. The rope is the same.
std::string layer_kind(const Config& config, int index) {
  const bool sliding = config.has("use_sliding_window") && config.at("use_sliding_window") == true &&
                       config.has("sliding_window") && index >= config.number("max_window_layers");
  return sliding ? "sliding_attention" : "full_attention";
}

}  // namespace

constinit const Row qwen3 = {
    .name = "qwen3",
    .model_types = {"qwen3"},
    .attention_classes = {"Qwen3Attention"},
    .config_defaults = R"({"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
        "sliding_window": 4096, "max_window_layers": 28})",
    .cast = 'A',
    .arithmetic = 'r',
    .layer_kind = layer_kind,
};

constinit const Row qwen3_moe = {
    .name = "qwen3_moe",
    .model_types = {"qwen3_moe"},
    .attention_classes = {"Qwen3MoeAttention"},
    .config_defaults = R"({"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32,
        "num_key_value_heads": 4, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6})",
    .cast = 'A',
    .arithmetic = 'r',
};

}  // namespace ropeline::models
