#pragma once

#include <string>

#include "ropeline/jit.h"

namespace ropeline::aot {

/// The program that NVRTC made that binary of, compiled by nvcc: the same texts, the same kernels under the same
/// symbols, under the same key, so that a pack of such binaries stands in for the JIT's. `compiler` says "13.0.88
/// nvcc". Runs nvcc (a path, or a name on PATH) and, through it, a host compiler's preprocessor. Throws ropeline::Error
/// with nvcc's words when it fails, and when a kernel of the binary is missing in what it made.
jit::Binary twin_of(const jit::Binary& binary, const jit::Source& source, const std::string& nvcc);

}  // namespace ropeline::aot
