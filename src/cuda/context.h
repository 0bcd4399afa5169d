#pragma once

#include <string>

#include "driver.h"

namespace ropeline::cuda {

/// What we need to know of a device, read once for each.
struct DeviceFacts {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int multiprocessors = 0;
  int l2_bytes = 0;
  int shared_bytes_optin = 0;  ///< dynamic shared memory that a block may have when it asks
};

/// Devices that can be used; 0 without a driver.
int device_count() noexcept;

/// Throws jit::Error for an index that is none.
const DeviceFacts& facts(int device);

/// Why kernels cannot run on that device (no driver, no such device, too old), or an empty string. Compiles nothing.
std::string obstacle(int device);

/// "sm_90"
std::string architecture(const DeviceFacts& facts);

/// The device of this thread's current context, or -1.
int current_device() noexcept;

/// This thread's current context, or null.
Context current_context() noexcept;

/// The current device. A thread without one gets the first device's primary context. Throws jit::Error.
int make_current();

/// Makes a device's primary context current while it lives, and restores what was. Nothing to do, and nothing done,
/// when that device is current already.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device);
  /// The same for launches on a stream, which must be one of that device. Throws jit::Error.
  CurrentDevice(int device, void* stream);
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;
  ~CurrentDevice() {
    if (pushed_) leave();
  }

 private:
  void leave();

  bool pushed_ = false;
};

/// Throws jit::Error{invalid_argument} for a stream of another device than that. A kernel runs where its stream is,
/// and the driver refuses a function of another context without saying which; a stream that the driver says nothing of
/// passes.
void check_stream(void* stream, int device);

/// While it lives, loading and allocating by this thread is legal beside a capture that is under way in another stream
/// or thread, and does not break it.
class BesideCaptures {
 public:
  BesideCaptures();
  BesideCaptures(const BesideCaptures&) = delete;
  BesideCaptures& operator=(const BesideCaptures&) = delete;
  ~BesideCaptures();

 private:
  int mode_;  // this thread's own
};

/// Whether work queued on the stream is being captured into a graph. For the null stream: whether any capture in this
/// context forbids its use.
bool is_capturing(void* stream);

}  // namespace ropeline::cuda
