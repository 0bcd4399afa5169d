#pragma once

#ifdef ROPELINE_FAULTS
#include <csignal>

#include "env.h"
#endif

namespace ropeline::jit {

/// A named step at which a test may kill the process, as kill -9 would. Nothing in builds without tests.
inline void fault_point([[maybe_unused]] const char* step) {
#ifdef ROPELINE_FAULTS
  if (env::kill_at() == step) std::raise(SIGKILL);
#endif
}

}  // namespace ropeline::jit
