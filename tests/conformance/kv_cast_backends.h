#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "conformance/kv_cast_call.h"

namespace ropeline::conformance {

/// Something that runs calls of kv_cast.
struct KvCastBackend {
  std::string name;
  std::function<void(KvCastCall&)> run;
};

/// How a failing test is called.
inline void PrintTo(const KvCastBackend& backend, std::ostream* out) { *out << backend.name; }

/// Each CPU target, forced.
std::vector<KvCastBackend> kv_cast_cpu_backends();

/// The plan on the first CUDA device, and before it the two forms that take every call, each forced.
std::vector<KvCastBackend> kv_cast_cuda_backends();

/// Why kernels cannot be compiled and run here, or an empty string.
std::string kv_cast_cuda_absence();

}  // namespace ropeline::conformance
