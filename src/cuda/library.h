#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "driver.h"

namespace ropeline::cuda {

/// A binary that the driver has taken. Not tied to a context; unloaded with the last owner.
class Library {
 public:
  /// Throws jit::Error with stage `load`, and a hint when the driver is too old or the GPU another one.
  explicit Library(const jit::Binary& binary);
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library();

  KernelHandle kernel(std::size_t index) const { return kernels_[index]; }

  /// Uploads every kernel into the current context, which lazy loading would leave to the first launch. What the driver
  /// launches there: a kernel's handle is good in any context, but is looked up at each launch, which takes 0.7 us.
  std::vector<Function> upload() const;

  /// Dynamic shared memory above 48 KiB has to be asked for, per device. The driver keeps one number for all who hold
  /// the kernel, so the most that was asked for stays.
  void allow_shared_bytes(KernelHandle kernel, int device, int bytes) const;

 private:
  LibraryHandle handle_ = nullptr;
  std::vector<KernelHandle> kernels_;
  mutable std::mutex allowing_;
  mutable std::map<std::pair<KernelHandle, int>, int> allowed_;  // shared bytes, by kernel and device
};

}  // namespace ropeline::cuda
