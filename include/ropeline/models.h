#pragma once

/// What transformers' models mean, read from their config.json. The only place of the library that knows families.

#include <string>
#include <string_view>
#include <vector>

#include "ropeline/spec.h"

namespace ropeline::models {

/// What one attention layer of a model does.
struct Layer {
  Spec spec;  ///< rounds as the eager model does; angles from the cos and sin rows that transformers hands over
  Frequencies frequencies;  ///< the same angles from parameters, for callers without rows. longrope: its short factors,
                            ///< dynamic: its unstretched base, until `frequencies.scaling.seq_len` says what is served
  std::string kind;         ///< the config's layer type: "full_attention", "sliding_attention"
};

/// How a family's code is spelled in transformers. Python's `apply` reads it and knows no family itself.
struct Family {
  std::string name;                            ///< "gemma3"; the folder of its code
  std::vector<std::string> model_types;        ///< as config.json says: "gemma3_text", and wrappers: "gemma3"
  std::vector<std::string> attention_classes;  ///< "Gemma3Attention"
  std::string q_norm, k_norm;                  ///< attribute names of the norm modules
  std::string rope_function;                   ///< "apply_rotary_pos_emb"
};

/// Every family in the table.
ROPELINE_API std::vector<Family> families();

/// The family of a config.json; a wrapper's text_config is followed.
/// Throws Error{unsupported} that names the known model types, Error{invalid_argument} for text that is no config.
ROPELINE_API Family family(std::string_view config_json);

/// Number of layers of that config.
ROPELINE_API int layers(std::string_view config_json);

/// The meaning of one layer. Fields that the config leaves out have the defaults of its class in transformers 5.24.
/// dtype: activation, weight and table dtype of the loaded model: fp32, fp16, bf16.
/// Throws Error{invalid_argument} that names the config field that is missing or odd.
ROPELINE_API Layer layer(std::string_view config_json, int index, DType dtype);

/// Everything of the above about one model, as one JSON text for other languages:
/// {"family": name, "attention_classes": [...], "q_norm": ..., "k_norm": ..., "rope_function": ...,
///  "layers": [{"kind": ..., "spec": "the printed form, itself JSON, as a string"}, ...]}
ROPELINE_API std::string describe(std::string_view config_json, DType dtype);

/// Names of published models: "qwen3-30b-a3b", "gemma3-270m". For programs that take a model by name; sizes that are
/// missing here are read from their config.json all the same.
ROPELINE_API std::vector<std::string> published();

/// What the config.json of that model says of its attention layers, as JSON text for the functions above.
/// Throws Error{invalid_argument} that lists the names.
ROPELINE_API std::string published_config(std::string_view name);

}  // namespace ropeline::models
