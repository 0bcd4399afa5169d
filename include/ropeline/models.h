#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ropeline/spec.h"

namespace ropeline::models {

/// What one attention layer of a model does, and how its class in transformers spells it.
struct Layer {
  Spec spec;                ///< as the eager model rounds, angles from the rows that transformers hands over
  Frequencies frequencies;  ///< the same angles from parameters, for callers without a table
  std::string kind;         ///< the config's layer type where layers differ: "full_attention", "sliding_attention"
};

/// What a family's attention class looks like in transformers. Python's `apply` reads it and knows no family itself.
struct Family {
  std::string model_type;                      ///< "qwen3_moe", as config.json says
  std::vector<std::string> attention_classes;  ///< "Qwen3MoeAttention"
  std::string q_norm, k_norm;                  ///< attribute names of the norm modules
  std::string rope_function;                   ///< "apply_rotary_pos_emb"
};

/// Every family in the table.
ROPELINE_API std::vector<Family> families();

/// The family of a config.json (nested text_config is followed). Throws Error{unsupported} naming the known ones.
ROPELINE_API Family family(std::string_view config_json);

/// Number of layers of that config.
ROPELINE_API int layers(std::string_view config_json);

/// The meaning of one layer. dtype: activation and weight dtype of the loaded model.
/// Throws Error{invalid_argument} that names the config field that is missing or odd.
ROPELINE_API Layer layer(std::string_view config_json, int index, DType dtype);

}  // namespace ropeline::models
