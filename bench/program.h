#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace ropeline::bench {

/// What the benchmarks that compile kernels are run by. The driver would keep what NVRTC has compiled, and a second
/// compile would be none, so its own cache is off. An exception is printed; 1 is returned then.
inline int run_program(int (*program)(int, char**), int count, char** words) try {
  setenv("CUDA_CACHE_DISABLE", "1", 1);
  return program(count, words);
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

}  // namespace ropeline::bench
