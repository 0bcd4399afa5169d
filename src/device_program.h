#pragma once

#include "ropeline/executor.h"

namespace ropeline {

/// A spec made ready for one device: what a plan runs. Immutable once made. `Params` is the op's struct of addresses,
/// counts and strides.
template <class Params>
class DeviceProgram {
 public:
  virtual ~DeviceProgram() = default;

  /// Runs a checked call that has at least one token; on a GPU, queues it.
  virtual void run(const Params& params, DeviceStream stream) const = 0;
};

}  // namespace ropeline
