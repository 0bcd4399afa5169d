#pragma once

#include "models/config.h"
#include "ropeline/frequencies.h"

namespace ropeline::models {

/// transformers' `rope_parameters`, one flat object, after its own standardisation. The older spellings rope_scaling,
/// rope_theta, partial_rotary_factor and `type` end in it too.
using RopeParameters = Json;

/// One set for all layers: RotaryEmbeddingConfigMixin.convert_rope_params_to_dict and standardize_rope_params.
RopeParameters uniform_rope_parameters(const Config& config, const std::string& kind);

/// Gives `rope_type` its older spelling and a default, and original_max_position_embeddings its default.
void standardize(RopeParameters& parameters, const Config& config);

/// The frequencies that these parameters mean for a table of rotary_dim elements: ROPE_INIT_FUNCTIONS.
Frequencies frequencies(const RopeParameters& parameters, const Config& config, int rotary_dim);

}  // namespace ropeline::models
