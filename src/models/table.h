#pragma once

#include <array>
#include <span>
#include <string>

#include "models/config.h"
#include "models/rope_parameters.h"
#include "ropeline/models.h"

namespace ropeline::models {

/// Up to four names.
using Names = std::array<const char*, 4>;

/// For families whose layers are all alike.
inline std::string full_attention(const Config&, int) { return "full_attention"; }

/// One row of the table: everything that is particular to a family. The rows are constants in families/, a file a
/// lineage; what a family computes in its own way is a function beside its row.
struct Row {
  const char* name;
  Names model_types, attention_classes;
  const char *q_norm = "q_norm", *k_norm = "k_norm", *rope_function = "apply_rotary_pos_emb";
  const char* config_defaults;  ///< JSON: the defaults of the config's class for the fields that are read here

  Norm norm = {};  ///< of q and of k; eps comes from the config
  const char* eps_field = "rms_norm_eps";
  char cast, arithmetic;  ///< the letters of docs/models.md
  Style style = Style::neox;
  RowLayout layout = RowLayout::dup;

  /// The kind of a layer where the config has no layer_types.
  std::string (*layer_kind)(const Config& config, int index) = full_attention;
  /// The parameters of the rope of a layer of that kind.
  RopeParameters (*rope_parameters)(const Config& config, const std::string& kind) = uniform_rope_parameters;
};

/// The row as the public type.
Family family_of(const Row& row);

/// All rows, in alphabetical order.
std::span<const Row* const> table();

}  // namespace ropeline::models
