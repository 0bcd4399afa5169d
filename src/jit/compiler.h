#pragma once

#include "compiler_library.h"
#include "key.h"
#include "program.h"

namespace ropeline::jit {

/// What came of a compile.
struct Compiled {
  std::shared_ptr<const Binary> binary;
  double milliseconds = 0;
  std::string remarks;  ///< the compiler's warnings
};

/// Compiles a program as its key says. The compile runs in a thread of its own: past `limit` the caller gets an error
/// and the compiler is asked to stop, which it does between its phases.
/// Throws jit::Error with stage `compile` that carries options and log.
Compiled compile(const Nvrtc& api, const Program& program, const Key& key, const std::string& architecture,
                 std::chrono::milliseconds limit);

/// The compiler's version to the build number, "13.0.88". Compiles an empty program the first time.
std::string full_version(const Nvrtc& api);

}  // namespace ropeline::jit
