#include "stream.h"

#include <dlfcn.h>

#include <cstdint>

#include "error.h"
#include "torch/csrc/inductor/aoti_torch/c/shim.h"

namespace ropeline::binding {
namespace {

// Part of torch's stable C ABI in every CUDA build from 2.9 on (a device-neutral one came with 2.13). It is in
// libtorch_cuda.so, which nothing that we link names: asked of the library itself, if the process has it.
using Entry = AOTITorchError (*)(std::int32_t device, void** stream);

Entry find_entry() {
  void* const torch_cuda = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
  return torch_cuda ? reinterpret_cast<Entry>(dlsym(torch_cuda, "aoti_torch_get_current_cuda_stream")) : nullptr;
}

}  // namespace

void* current_stream(int device) {
  static const Entry entry = find_entry();
  if (!entry)
    throw Error(ErrorKind::unavailable,
                text("torch: this build has no CUDA (aoti_torch_get_current_cuda_stream is not in it), so it has no "
                     "current stream on cuda:",
                     device));
  void* stream = nullptr;
  if (entry(device, &stream) != AOTI_TORCH_SUCCESS)
    throw Error(ErrorKind::unavailable, text("torch: it has no current stream on cuda:", device));
  return stream;
}

}  // namespace ropeline::binding
