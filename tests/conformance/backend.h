#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "ropeline/plan.h"

namespace ropeline::conformance {

/// Something that runs specs and must give the reference's bits.
struct Backend {
  std::string name;
  std::function<void(const Spec&, const Args&)> run;
};

inline void PrintTo(const Backend& backend, std::ostream* out) { *out << backend.name; }

/// Every backend of this machine: today each CPU target, forced one by one.
const std::vector<Backend>& backends();

}  // namespace ropeline::conformance
