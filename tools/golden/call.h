#pragma once

#include <string>
#include <vector>

#include "ropeline/plan.h"
#include "tools/golden/angles.h"
#include "tools/golden/expression.h"

namespace ropeline::tools::golden {

/// One stream of a call: what it reads, and what the model made of it.
struct CallStream {
  std::string name;
  char role = 'q';
  Tensor memory = {};             ///< the recorded input
  TensorView in = {};             ///< its heads, a view of `memory`
  Tensor weight = {}, bias = {};  ///< in the dtype of the setting; absent when the step has none
  Tensor recorded = {};           ///< [T, H, D]
};

/// A recorded call: some streams of a layer, in one dtype, at one position set, with one feed of angles. Tokens that
/// the model leaves unrotated are a call of their own, so a case is one or two of these.
struct RecordedCall {
  std::string what;  ///< "sliding.bf16.long, q k, cos and sin rows"
  Spec spec = {};
  std::vector<CallStream> streams = {};
  TensorView cos = {}, sin = {}, positions = {};
  AngleFeed angles = {};  ///< owns the memory of the three
};

/// The calls of a case. `set` is empty for streams that do not depend on positions.
/// Throws Error{unsupported} where the spec language, or the recording, has no such call.
std::vector<RecordedCall> calls_of(const Recording& recording, const RecordedLayer& layer, const StreamGroup& streams,
                                   DType dtype, const std::string& set, Feed feed);

/// Whether streams can share a call: the same tokens, and the same rows of the table.
bool can_share(const Recording& recording, const RecordedLayer& layer, const StreamGroup& streams);

/// The arguments of a call that writes to `outputs`, one for each stream.
Args args_of(const RecordedCall& call, const std::vector<Tensor>& outputs);

}  // namespace ropeline::tools::golden
