#include "library.h"

#include "error.h"

namespace ropeline::cuda {
namespace {

std::string hint_for(const Driver& d, Result result, const jit::Binary& binary) {
  switch (result) {
    case result::no_binary_for_gpu:
      return text("the binary is for ", binary.architecture, "; the device is another one");
    case result::invalid_ptx:
    case result::unsupported_ptx_version:
      return text("the driver (CUDA ", d.version / 1000, ".", d.version % 1000 / 10, ") is older than the compiler (",
                  binary.compiler, "); update the driver or use an older NVRTC");
  }
  return {};
}

[[noreturn]] void fail(const Driver& d, Result result, const jit::Binary& binary, const std::string& what) {
  throw jit::Error(ErrorKind::unavailable,
                   {jit::Stage::load, what + ": " + name_of(d, result), hint_for(d, result, binary), {}, {}});
}

// PTX is a text and ends with a zero; a cubin knows its own length.
LibraryHandle load(const Driver& d, const jit::Binary& binary) {
  LibraryHandle handle = nullptr;
  const Result result = d.library_load(&handle, binary.image.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (result != result::success) fail(d, result, binary, "cuLibraryLoadData");
  return handle;
}

}  // namespace

Library::Library(const jit::Binary& binary) : handle_(load(require_driver(), binary)) {
  const Driver& d = require_driver();
  for (const jit::KernelFacts& kernel : binary.kernels) {
    const Result result = d.library_kernel(&kernels_.emplace_back(), handle_, kernel.symbol.c_str());
    if (result == result::success) continue;
    d.library_unload(handle_);
    fail(d, result, binary, text("cuLibraryGetKernel(", kernel.symbol, ")"));
  }
}

Library::~Library() { driver()->library_unload(handle_); }

std::vector<Function> Library::upload() const {
  const Driver& d = require_driver();
  std::vector<Function> functions;
  for (KernelHandle kernel : kernels_) {
    Function& function = functions.emplace_back();
    int registers = 0;
    check(d, d.kernel_function(&function, kernel), jit::Stage::load, "cuKernelGetFunction");
    if (d.function_load) check(d, d.function_load(function), jit::Stage::load, "cuFuncLoad");
    check(d, d.function_attribute(&registers, attribute::registers, function), jit::Stage::load, "cuFuncGetAttribute");
  }
  return functions;
}

void Library::allow_shared_bytes(KernelHandle kernel, int device, int bytes) const {
  const std::lock_guard lock(allowing_);
  int& allowed = allowed_[{kernel, device}];
  if (bytes <= allowed) return;
  const Driver& d = require_driver();
  DeviceHandle handle = 0;
  check(d, d.device_get(&handle, device), jit::Stage::load, "cuDeviceGet");
  check(d, d.kernel_set_attribute(attribute::max_dynamic_shared_bytes, bytes, kernel, handle), jit::Stage::load,
        text("cuKernelSetAttribute(dynamic shared bytes = ", bytes, ")"));
  allowed = bytes;
}

}  // namespace ropeline::cuda
