#pragma once

#include <string>
#include <vector>

namespace ropeline::kernels {

/// Kernels compiled by NVRTC for one architecture.
struct Compiled {
  std::string cubin;  ///< empty when the compiler refused
  std::string log;
  std::vector<std::string> symbols;  ///< one for each name asked for
};

/// Why nothing can be compiled on this machine, or empty. ROPELINE_NVRTC names the library's file or folder; without it
/// the loader's own path is searched.
std::string why_no_nvrtc();

/// Compiles kernels/ops/qk_norm_rope.cuh as the library does: no header but those of kernels/, no include path.
Compiled compile(const std::vector<std::string>& names, const std::string& architecture);

}  // namespace ropeline::kernels
