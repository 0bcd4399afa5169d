#pragma once

// Streams, graphs and events of a real driver, for tests and benchmarks. The library has no use for them.

#include <dlfcn.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include "cuda/driver.h"

namespace ropeline::cuda {

/// An entry point of the driver by its name. Throws when it is missing or fails.
template <class... Args>
void call(const char* name, Args... args) {
  void* const library = dlopen("libcuda.so.1", RTLD_LAZY);
  auto* const entry = reinterpret_cast<Result (*)(Args...)>(library ? dlsym(library, name) : nullptr);
  if (!entry) throw std::runtime_error(std::string(name) + " is missing");
  if (const Result result = entry(args...)) throw std::runtime_error(name + (": " + name_of(require_driver(), result)));
}

/// A stream that does not wait for the default one.
class Queue {
 public:
  Queue() {
    check(require_driver(), require_driver().stream_create(&stream_, 1), jit::Stage::driver, "cuStreamCreate");
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { driver()->stream_destroy(stream_); }

  Stream get() const { return stream_; }
  void wait() const {
    check(require_driver(), require_driver().stream_synchronize(stream_), jit::Stage::driver, "cuStreamSynchronize");
  }

 private:
  Stream stream_ = nullptr;
};

/// What was queued on a stream while it was captured (in global mode, which forbids most), to be launched again.
class Graph {
 public:
  Graph(const Queue& queue, const std::function<void()>& work) {
    call("cuStreamBeginCapture_v2", queue.get(), 0);
    work();
    call("cuStreamEndCapture", queue.get(), &graph_);
    call("cuGraphInstantiateWithFlags", &exec_, graph_, 0ull);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() {
    call("cuGraphExecDestroy", exec_);
    call("cuGraphDestroy", graph_);
  }

  void launch(const Queue& queue) const { call("cuGraphLaunch", exec_, queue.get()); }

 private:
  struct CUgraph_st* graph_ = nullptr;
  struct CUgraphExec_st* exec_ = nullptr;
};

/// A moment on a stream.
class Mark {
 public:
  Mark() { call("cuEventCreate", &event_, 0u); }
  Mark(const Mark&) = delete;
  Mark& operator=(const Mark&) = delete;
  ~Mark() { call("cuEventDestroy_v2", event_); }

  void record(const Queue& queue) { call("cuEventRecord", event_, queue.get()); }

  /// Between two marks whose streams have been waited for.
  double microseconds_since(const Mark& start) const {
    float milliseconds = 0;
    call("cuEventElapsedTime", &milliseconds, start.event_, event_);
    return 1e3 * static_cast<double>(milliseconds);
  }

 private:
  struct CUevent_st* event_ = nullptr;
};

}  // namespace ropeline::cuda
