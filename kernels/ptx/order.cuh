#pragma once

// What shapes the order of a kernel without computing anything.

#include "kernels/core/device.cuh"
#include "kernels/shared/portable.h"

namespace ropeline::kernel::ptx {

/// Holds a value in a register from here on. A parameter that is first read behind the reduction would be a miss of the
/// constant cache at the worst place.
ROPELINE_DEVICE void hold(float& x) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+f"(x));
#else
  static_cast<void>(x);
#endif
}

ROPELINE_DEVICE void hold(uint32_t& x) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+r"(x));
#else
  static_cast<void>(x);
#endif
}

ROPELINE_DEVICE void hold(int64_t& x) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+l"(x));
#else
  static_cast<void>(x);
#endif
}

ROPELINE_DEVICE void hold(uint64_t& x) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+l"(x));
#else
  static_cast<void>(x);
#endif
}

template <class T>
ROPELINE_DEVICE void hold(T*& x) {
#if defined(__CUDA_ARCH__)
  asm volatile("" : "+l"(x));
#else
  static_cast<void>(x);
#endif
}

/// Waits until the kernel before this one in the stream has written its results (from sm_90 on; before, it already
/// has).
ROPELINE_DEVICE void wait_for_predecessor() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel of the stream begin what does not depend on this one.
ROPELINE_DEVICE void launch_dependents() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace ropeline::kernel::ptx
