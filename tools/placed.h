#pragma once

#include <optional>
#include <vector>

#include "ropeline/device_memory.h"
#include "ropeline/plan.h"

namespace ropeline::tools {

/// Tensors where a device reads them: as they are for a CPU, copies for a GPU.
class DeviceTensors {
 public:
  explicit DeviceTensors(Device device);

  /// The tensor of the device; an absent one stays absent. `fetch` brings back what was written.
  TensorView place(const TensorView& host, bool written);

  /// Returns when what was queued on the default stream is done.
  void wait() const;

  /// Waits, then copies what was written on a GPU to the host.
  void fetch() const;

 private:
  struct Copy {
    DeviceMemory memory;
    void* host;
    bool written;
  };

  Device device_;
  std::vector<Copy> copies_;
  std::optional<DeviceMemory> pulse_;  // one byte; none on a CPU
};

/// The fields of an op's arguments that are tensors: those that a call only reads, and those that it writes.
template <class Args>
struct TensorFields {
  std::vector<TensorView Args::*> read, written;
};

template <class Args>
TensorFields<Args> tensor_fields();
template <>
TensorFields<Args> tensor_fields<Args>();  // outputs are given, and dense

/// The arguments of a call with their tensors on a device.
template <class Args>
class Placed {
 public:
  Placed(const Args& host, Device device) : args_(host), tensors_(device) {
    const TensorFields<Args> fields = tensor_fields<Args>();
    for (auto field : fields.read) args_.*field = tensors_.place(args_.*field, false);
    for (auto field : fields.written) args_.*field = tensors_.place(args_.*field, true);
  }

  const Args& args() const { return args_; }
  void wait() const { tensors_.wait(); }
  void fetch() const { tensors_.fetch(); }

 private:
  Args args_;
  DeviceTensors tensors_;
};

}  // namespace ropeline::tools
