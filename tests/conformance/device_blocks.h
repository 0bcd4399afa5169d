#pragma once

#include <vector>

#include "conformance/memory.h"
#include "ropeline/device_memory.h"
#include "ropeline/plan.h"

namespace ropeline::conformance {

/// The memory of a call on a CUDA device, block for block, guards, gaps and poison included: one after the other in one
/// piece of memory, so that it takes one copy each way.
class DeviceBlocks {
 public:
  explicit DeviceBlocks(const Memory& host, Device device = Device::cuda());

  /// The arguments of a call that lies in that memory (not in a copy of it), with their tensors on the device.
  Args args(Args args) const;

  /// One tensor of it.
  TensorView view(TensorView view) const;

  /// From and to that memory, or a copy of it. They wait for the default stream.
  void upload(const Memory& host);
  void download(const Memory& host) const;

 private:
  void* translated(const void* address) const;

  Device device_;
  std::vector<Memory::Block> host_;
  std::vector<std::size_t> offsets_;  // of the blocks; behind the last, the size of all
  DeviceMemory memory_;
};

}  // namespace ropeline::conformance
