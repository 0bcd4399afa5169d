#pragma once

#include <map>
#include <string>
#include <vector>

#include "ropeline/device.h"
#include "tools/golden/recording.h"

namespace ropeline::tools::golden {

/// How long a recorded bf16 layer takes, in place on the calling thread, beside an in-place copy of the same bytes.
struct LayerTime {
  std::string what;                     ///< "qwen3 attn: q k"
  std::int64_t tokens = 0;              ///< the recorded tokens, repeated up to this many
  double copy = 0;                      ///< microseconds to read and write q and k once
  std::map<CpuTarget, double> targets;  ///< microseconds of Plan::run
};

/// Times every layer of a file that this version runs, at each of these token counts.
std::vector<LayerTime> time_layers(const Recording& recording, const std::vector<CpuTarget>& targets,
                                   const std::vector<std::int64_t>& tokens);

}  // namespace ropeline::tools::golden
