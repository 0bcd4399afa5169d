#pragma once

namespace ropeline::binding {

/// The CUDA stream that torch queues work of this thread on, on that device. Neither waits nor allocates.
/// Throws Error{unavailable} where torch has no CUDA: its CPU build has no such entry point, so it is looked for at the
/// first call, and one library serves both builds.
void* current_stream(int device);

}  // namespace ropeline::binding
