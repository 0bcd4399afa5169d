#include "cuda/context.h"
#include "driver.h"
#include "error.h"
#include "ropeline/device_memory.h"

namespace ropeline {
namespace {

using cuda::Address;

void check(cuda::Result result, const std::string& what) {
  cuda::check(cuda::require_driver(), result, jit::Stage::driver, what);
}

Address address_of(void* data) { return reinterpret_cast<Address>(data); }

}  // namespace

DeviceMemory::DeviceMemory(std::size_t bytes, int device) : bytes_(bytes), device_(device) {
  const cuda::CurrentDevice current(device);
  const cuda::BesideCaptures beside;
  Address address = 0;
  if (bytes) check(cuda::require_driver().allocate(&address, bytes), text("cuMemAlloc(", bytes, ")"));
  data_ = reinterpret_cast<void*>(address);
}

// A forked child, or a process whose driver has gone already, has nothing to free.
DeviceMemory::~DeviceMemory() {
  if (!data_) return;
  try {
    const cuda::CurrentDevice current(device_);
    const cuda::BesideCaptures beside;
    cuda::driver()->free(address_of(data_));
  } catch (const Error&) {
  }
}

// A small copy from pageable memory returns once the driver has the bytes, not the device: without the wait, a stream
// that does not wait for the default one could read what was there before.
void DeviceMemory::upload(const void* source) {
  if (!bytes_) return;
  const cuda::CurrentDevice current(device_);
  const cuda::BesideCaptures beside;
  check(cuda::require_driver().to_device(address_of(data_), source, bytes_), "cuMemcpyHtoD");
  check(cuda::require_driver().stream_synchronize(nullptr), "cuStreamSynchronize");
}

void DeviceMemory::download(void* target) const {
  const cuda::CurrentDevice current(device_);
  if (bytes_) check(cuda::require_driver().to_host(target, address_of(data_), bytes_), "cuMemcpyDtoH");
}

}  // namespace ropeline
