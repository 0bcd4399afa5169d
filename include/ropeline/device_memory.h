#pragma once

#include <cstddef>
#include <utility>

#include "ropeline/export.h"

namespace ropeline {

/// Bytes on a CUDA device, at a multiple of 256, for programs that have no allocator of their own: examples, tools,
/// tests. (Of Ropeline itself, a plan keeps its frequencies in one; running it allocates nothing.) Freed with its
/// owner, on any thread. Throws jit::Error where there is no driver, device or memory.
class ROPELINE_API DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes, int device = 0);
  DeviceMemory(DeviceMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), device_(other.device_) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(data_, other.data_), std::swap(bytes_, other.bytes_), std::swap(device_, other.device_);
    return *this;
  }
  ~DeviceMemory();

  void* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }

  /// Copies all bytes from or to the host, after what was queued on the default stream; returns when it is done.
  void upload(const void* source);
  void download(void* target) const;

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  int device_ = 0;
};

}  // namespace ropeline
