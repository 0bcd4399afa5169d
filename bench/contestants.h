#pragma once

#include <functional>
#include <string>
#include <vector>

#include "workload.h"

namespace ropeline::bench {

/// One way of doing the work of a case. `prepare` does what is done once a layer; what it returns is what is timed.
struct Contestant {
  std::string name;
  bool (*enters)(const Workload&);
  std::function<std::function<void()>(Workload&)> prepare;
};

/// The copy, the op with each source of angles and each rounding, and the comparator.
///
///     copy               reads and writes the same q and k in place
///     fused-frequencies  the op, default rounding, angles computed from positions
///     fused-cache        the same from a cos_sin_cache by position (fp32)
///     fused-rows         the same from cos and sin rows (activation dtype)
///     model-rows         the op, rounding as the eager model does, from the same rows
///     sglang-retyped     the comparator (sglang_retyped.h); bf16, no weight offset
const std::vector<Contestant>& contestants();

}  // namespace ropeline::bench
