#include "driver.h"

#include <dlfcn.h>

#include "error.h"

namespace ropeline::cuda {
namespace {

// Binds entry points and remembers the first one that is missing.
struct Binder {
  void* library;
  const char* missing = nullptr;

  template <class Function_>
  void optional(Function_*& function, const char* name) {
    function = reinterpret_cast<Function_*>(dlsym(library, name));
  }
  template <class Function_>
  void operator()(Function_*& function, const char* name) {
    optional(function, name);
    if (!function && !missing) missing = name;
  }
};

const char* bind_all(Driver& d, void* library) {
  Binder bind{library};
  bind(d.init, "cuInit");
  bind(d.error_name, "cuGetErrorName");
  bind(d.error_string, "cuGetErrorString");
  bind(d.driver_version, "cuDriverGetVersion");
  bind(d.device_count, "cuDeviceGetCount");
  bind(d.device_get, "cuDeviceGet");
  bind(d.device_name, "cuDeviceGetName");
  bind(d.device_attribute, "cuDeviceGetAttribute");
  bind(d.primary_retain, "cuDevicePrimaryCtxRetain");
  bind(d.context_current, "cuCtxGetCurrent");
  bind(d.context_push, "cuCtxPushCurrent_v2");
  bind(d.context_pop, "cuCtxPopCurrent_v2");
  bind(d.context_set, "cuCtxSetCurrent");
  bind(d.context_device, "cuCtxGetDevice");
  bind(d.library_load, "cuLibraryLoadData");
  bind(d.library_unload, "cuLibraryUnload");
  bind(d.library_kernel, "cuLibraryGetKernel");
  bind(d.kernel_function, "cuKernelGetFunction");
  bind(d.kernel_attribute, "cuKernelGetAttribute");
  bind(d.kernel_set_attribute, "cuKernelSetAttribute");
  bind.optional(d.function_load, "cuFuncLoad");
  bind(d.function_attribute, "cuFuncGetAttribute");
  bind(d.launch, "cuLaunchKernelEx");
  bind(d.is_capturing, "cuStreamIsCapturing");
  bind(d.exchange_capture_mode, "cuThreadExchangeStreamCaptureMode");
  bind(d.stream_create, "cuStreamCreate");
  bind(d.stream_destroy, "cuStreamDestroy_v2");
  bind(d.stream_synchronize, "cuStreamSynchronize");
  bind(d.stream_context, "cuStreamGetCtx");
  bind(d.allocate, "cuMemAlloc_v2");
  bind(d.free, "cuMemFree_v2");
  bind(d.to_device, "cuMemcpyHtoD_v2");
  bind(d.to_host, "cuMemcpyDtoH_v2");
  return bind.missing;
}

// The driver as it was found, once per process. Never closed: its threads outlive everything of ours.
struct Found {
  Driver driver = {};
  std::string absence;
  unsigned generation = jit::detail::generation();

  Found() { absence = open(); }

  std::string open() {
    void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
    if (!library) return dlerror();
    if (const char* missing = bind_all(driver, library))
      return text("libcuda.so.1: ", missing, " is missing; the driver is older than CUDA 12.0");
    if (const Result result = driver.init(0)) return "cuInit: " + name_of(driver, result);
    driver.driver_version(&driver.version);
    return {};
  }
};

const Found& found() {
  static const Found* const result = new Found();
  return *result;
}

}  // namespace

const Driver* driver() noexcept { return found().absence.empty() ? &found().driver : nullptr; }

const std::string& absence() { return found().absence; }

const Driver& require_driver() {
  using jit::Error, jit::Stage;
  if (!driver()) throw Error(ErrorKind::unavailable, {Stage::driver, "no CUDA driver: " + absence(), {}, {}, {}});
  if (found().generation != jit::detail::generation())
    throw Error(ErrorKind::unavailable, {Stage::driver,
                                         "this process was forked after its parent used CUDA",
                                         "CUDA does not survive fork(); use spawn",
                                         {},
                                         {}});
  return *driver();
}

std::string name_of(const Driver& driver, Result result) {
  const char *name = nullptr, *meaning = nullptr;
  driver.error_name(result, &name);
  driver.error_string(result, &meaning);
  return text(name ? name : "CUDA error", " (", meaning ? meaning : "unknown", ", ", result, ")");
}

void check(const Driver& driver, Result result, jit::Stage stage, const std::string& what) {
  if (result == result::success) return;
  throw jit::Error(ErrorKind::unavailable, {stage, what + ": " + name_of(driver, result), {}, {}, {}});
}

}  // namespace ropeline::cuda
