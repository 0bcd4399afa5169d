#pragma once

#include <optional>
#include <vector>

#include "ropeline/device_memory.h"
#include "ropeline/plan.h"

namespace ropeline::tools {

/// The tensors of a call where a device reads them: as they are for a CPU, copies for a GPU. Outputs are given, and
/// dense.
class Placed {
 public:
  Placed(const Args& host, Device device);

  const Args& args() const { return args_; }

  /// Returns when what was queued on the default stream is done.
  void wait() const;

  /// Waits, then copies the outputs of a GPU to the host's.
  void fetch() const;

 private:
  struct Copy {
    DeviceMemory memory;
    void* host;
    bool is_output;
  };

  Args args_;
  std::vector<Copy> copies_;
  std::optional<DeviceMemory> pulse_;  // one byte; none on a CPU
};

}  // namespace ropeline::tools
