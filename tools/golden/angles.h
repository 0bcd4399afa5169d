#pragma once

#include <string>
#include <vector>

#include "ropeline/spec.h"
#include "tools/golden/recording.h"
#include "tools/tensor.h"

namespace ropeline::tools::golden {

/// From what a run gets its angles: the recorded cos and sin; the recorded inv_freq and positions, as tables of
/// AngleMode::fp32_product; or rope_parameters and positions alone.
enum class Feed { rows, inv_freq, parameters };

/// "cos and sin rows", "inv_freq", "rope parameters"
const char* name_of(Feed feed);

/// What a rope reads in a run: a source of angles and the tensors for it.
struct AngleFeed {
  Angles angles = {};
  DType table = DType::fp32;
  Tensor cos = {}, sin = {};  ///< rows of the recorded table, or absent
  Tensor positions = {};      ///< one for each row, or absent
};

/// The angles of a position set. Throws Error{unsupported} with the reason where the recording has nothing to feed.
AngleFeed angles_from(Feed feed, const Recording& recording, const RecordedTable& table, const std::string& set,
                      DType dtype);

/// The frequencies that rope_parameters describe; `count` of them.
/// Throws Error{unsupported} for a rope_type that is unknown here.
Frequencies frequencies_of(const RecordedTable& table, int count);

/// The largest relative distance of frequencies_of from the recorded inv_freq.
double frequency_distance(const Recording& recording, const RecordedTable& table);

}  // namespace ropeline::tools::golden
