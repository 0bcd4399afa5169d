#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "conformance/memory.h"
#include "ropeline/plan.h"

namespace ropeline::conformance {

/// Something that runs specs and must give the reference's bits.
struct Backend {
  std::string name;
  /// Runs a call whose tensors lie in that memory, and returns when it is done.
  std::function<void(const Spec&, const Args&, const Memory&)> run;
  /// Of the specs of a sweep it runs one in so many: a GPU compiles each of them first. ROPELINE_FULL: all.
  unsigned sweep_share = 1;
  /// Takes little else than q and k side by side, in place: a recipe that leaves the layout open is made so for it.
  bool wants_packed = false;
};

inline void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

/// A CPU target, forced.
Backend cpu_backend(CpuTarget target);

/// Every backend of this machine: each CPU target, forced one by one, and the first CUDA device where kernels can be
/// compiled for it, by the launch rule and by each form of the kernel.
const std::vector<Backend>& backends();

}  // namespace ropeline::conformance
