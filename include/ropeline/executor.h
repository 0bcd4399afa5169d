#pragma once

#include <cstdint>

#include "ropeline/export.h"

namespace ropeline {

/// How a CPU plan spreads its work over threads. A host that has a pool of its own derives from this and hands it to
/// `Plan::run`; otherwise the library's pool is used. Results do not depend on the executor or its width, to the bit.
class ROPELINE_API Executor {
 public:
  /// A unit of work: call it once for each index.
  using Task = void (*)(void* context, int index);

  virtual ~Executor() = default;

  /// Upper bound of the indices that it makes sense to hand to one `run`. At least 1.
  virtual int width() const noexcept = 0;

  /// Calls task(context, i) for each i in [0, count), in any order and on any threads, and returns when all are done.
  /// Tasks do not throw. The floating-point mode of the threads does not matter: tasks set and restore their own.
  virtual void run(int count, Task task, void* context) = 0;
};

/// Threads of the library's own pool, the calling thread included. 1 until set: a library does not take cores unasked.
ROPELINE_API int cpu_threads() noexcept;

/// Resizes the library's own pool. Calls that are running finish with the threads that they have.
/// Throws Error{invalid_argument} unless 1 <= threads <= 1024.
ROPELINE_API void set_cpu_threads(int threads);

/// Where and on what a run is queued: a CUDA stream handle, or a CPU executor. The default is the null stream on a GPU
/// and the library's own pool on a CPU.
struct DeviceStream {
  void* cuda = nullptr;          ///< CUstream / cudaStream_t, of the plan's device; another one is refused
  Executor* executor = nullptr;  ///< CPU only; null means the library's own pool

  static DeviceStream on(Executor& executor) { return {nullptr, &executor}; }
};

}  // namespace ropeline
