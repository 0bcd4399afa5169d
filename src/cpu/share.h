#pragma once

#include <cstdint>

#include "ropeline/executor.h"

namespace ropeline::cpu {

/// Works on tokens [begin, end) of a call, counted over all batches, on this thread. The floating-point mode is set.
using TokenRange = void (*)(const void* call, std::int64_t begin, std::int64_t end);

/// Spreads a call over the stream's executor, in parts of whole tokens; a small one stays on the calling thread. Tokens
/// do not meet, so the cut changes no bit. `elements` is what one token has.
void share(const void* call, TokenRange range, std::int64_t tokens, std::int64_t elements, DeviceStream stream);

/// The executor behind cpu_threads() and set_cpu_threads().
Executor& default_executor();

}  // namespace ropeline::cpu
