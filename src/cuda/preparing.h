#pragma once

#include <array>
#include <vector>

#include "cuda/context.h"
#include "ropeline/jit.h"

/// What the CUDA programs of all ops share.
namespace ropeline::cuda {

/// While it lives, a program for that device may be made by this thread: the device is current, and captures that are
/// under way elsewhere are not disturbed. Throws jit::Error where a capture forbids the default stream, because then no
/// copy may be started.
class Preparing {
 public:
  Preparing(const char* op, int device);

 private:
  CurrentDevice current_;
  BesideCaptures beside_;
};

/// Every kernel of a source, loaded on the current device, in the source's order.
std::vector<jit::Kernel> load_kernels(const jit::Source& source);

inline jit::Dim3 dim3(const std::array<unsigned, 3>& n) { return {n[0], n[1], n[2]}; }

}  // namespace ropeline::cuda
