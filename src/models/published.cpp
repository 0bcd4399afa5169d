// What published models say of their attention layers in their config.json.

#include <array>

#include "error.h"
#include "ropeline/models.h"

namespace ropeline::models {
namespace {

struct Published {
  const char *name, *model_type;
  int layers, q_heads, k_heads, head_dim;
  int positions;
  double theta;
  double linear = 0;  // rope_scaling's factor, where there is one
};

constexpr auto kPublished = std::to_array<Published>({
    {"gemma3-270m", "gemma3_text", 18, 4, 1, 256, 32768, 1e6},
    {"gemma3-1b", "gemma3_text", 26, 4, 1, 256, 32768, 1e6},
    {"gemma3-4b", "gemma3_text", 34, 8, 4, 256, 131072, 1e6, 8},
    {"gemma3-12b", "gemma3_text", 48, 16, 8, 256, 131072, 1e6, 8},
    {"gemma3-27b", "gemma3_text", 62, 32, 16, 128, 131072, 1e6, 8},
    {"qwen3-0.6b", "qwen3", 28, 16, 8, 128, 40960, 1e6},
    {"qwen3-1.7b", "qwen3", 28, 16, 8, 128, 40960, 1e6},
    {"qwen3-4b", "qwen3", 36, 32, 8, 128, 40960, 1e6},
    {"qwen3-4b-2507", "qwen3", 36, 32, 8, 128, 262144, 5e6},
    {"qwen3-8b", "qwen3", 36, 32, 8, 128, 40960, 1e6},
    {"qwen3-14b", "qwen3", 40, 40, 8, 128, 40960, 1e6},
    {"qwen3-32b", "qwen3", 64, 64, 8, 128, 40960, 1e6},
    {"qwen3-30b-a3b", "qwen3_moe", 48, 32, 4, 128, 40960, 1e6},
    {"qwen3-30b-a3b-2507", "qwen3_moe", 48, 32, 4, 128, 262144, 1e7},
    {"qwen3-235b-a22b", "qwen3_moe", 94, 64, 4, 128, 40960, 1e6},
    {"qwen3-235b-a22b-2507", "qwen3_moe", 94, 64, 4, 128, 262144, 5e6},
    {"qwen3-coder-30b-a3b", "qwen3_moe", 48, 32, 4, 128, 262144, 1e7},
    {"qwen3-coder-480b-a35b", "qwen3_moe", 62, 96, 8, 128, 262144, 1e7},
});

// eps, and what Gemma 3's layers differ by, are the defaults of their classes.
std::string config_of(const Published& m) {
  const std::string scaling =
      m.linear == 0 ? "" : text(R"(, "rope_scaling": {"rope_type": "linear", "factor": )", m.linear, "}");
  return text(R"({"model_type": ")", m.model_type, R"(", "num_hidden_layers": )", m.layers,
              R"(, "num_attention_heads": )", m.q_heads, R"(, "num_key_value_heads": )", m.k_heads, R"(, "head_dim": )",
              m.head_dim, R"(, "max_position_embeddings": )", m.positions, R"(, "rope_theta": )", m.theta, scaling,
              "}");
}

}  // namespace

std::vector<std::string> published() {
  std::vector<std::string> names;
  for (const Published& model : kPublished) names.emplace_back(model.name);
  return names;
}

std::string published_config(std::string_view name) {
  std::string known;
  for (const Published& model : kPublished) {
    if (name == model.name) return config_of(model);
    known += text(known.empty() ? "" : ", ", model.name);
  }
  throw_invalid(text("model: \"", name, "\" is not one of ", known));
}

}  // namespace ropeline::models
