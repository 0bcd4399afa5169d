#pragma once

#include <optional>
#include <vector>

#include "ropeline/spec.h"
#include "tools/golden/recording.h"

namespace ropeline::tools::golden {

/// Streams of one layer that run as one call; at most one of each role.
using StreamGroup = std::vector<const RecordedStream*>;

/// "q k"
std::string names_of(const StreamGroup& streams);

/// What a group's calls are made of, beside the recorded steps.
struct Setting {
  DType dtype = DType::bf16;
  std::optional<Angles> angles;  ///< absent: the rope is left out (tokens that the model does not rotate)
  DType table = DType::fp32;
};

/// The recorded steps in the words of a spec: rounding from the cast and arithmetic letters by Rounding::model.
/// Throws Error{unsupported} for a step that the spec language cannot spell.
Spec express(const RecordedLayer& layer, const StreamGroup& streams, const Recording& recording,
             const Setting& setting);

/// Width of a stream's heads: half of the recorded rows where these also hold a gate.
int head_dim(const RecordedStream& stream, const TensorView& input);

/// The step with that op, or null.
const nlohmann::json* find_step(const RecordedStream& stream, const char* op);

}  // namespace ropeline::tools::golden
