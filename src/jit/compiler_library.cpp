#include "compiler_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>

#include "error.h"
#include "fork.h"
#include "ropeline/jit.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

// NVRTC opens its builtins by name only, which finds nothing in a wheel's folder. Opened beforehand by its full path,
// the name is taken. When there is none, NVRTC says so itself at the first compile.
void open_builtins(const fs::path& library) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(library.parent_path(), ignored)) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with("libnvrtc-builtins.so.") || file == "libnvrtc-builtins.so")
      dlopen(entry.path().c_str(), RTLD_LAZY | RTLD_LOCAL);
  }
}

template <class Function>
void bind(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
}

// Null when a name is missing that we cannot do without.
std::unique_ptr<Nvrtc> bind_all(void* library) {
  auto api = std::make_unique<Nvrtc>();
  bind(library, "nvrtcGetErrorString", api->error_string);
  bind(library, "nvrtcVersion", api->version);
  bind(library, "nvrtcGetNumSupportedArchs", api->supported_count);
  bind(library, "nvrtcGetSupportedArchs", api->supported);
  bind(library, "nvrtcCreateProgram", api->create);
  bind(library, "nvrtcDestroyProgram", api->destroy);
  bind(library, "nvrtcCompileProgram", api->compile);
  bind(library, "nvrtcAddNameExpression", api->add_name);
  bind(library, "nvrtcGetLoweredName", api->lowered_name);
  bind(library, "nvrtcGetProgramLogSize", api->log_size);
  bind(library, "nvrtcGetProgramLog", api->log);
  bind(library, "nvrtcGetCUBINSize", api->cubin_size);
  bind(library, "nvrtcGetCUBIN", api->cubin);
  bind(library, "nvrtcGetPTXSize", api->ptx_size);
  bind(library, "nvrtcGetPTX", api->ptx);
  bind(library, "nvrtcSetFlowCallback", api->set_flow_callback);
  const bool complete = api->error_string && api->version && api->supported_count && api->supported && api->create &&
                        api->destroy && api->compile && api->add_name && api->lowered_name && api->log_size &&
                        api->log && api->cubin_size && api->cubin && api->ptx_size && api->ptx;
  return complete ? std::move(api) : nullptr;
}

void read_facts(Nvrtc& api, void* library) {
  api.version(&api.major, &api.minor);
  int count = 0;
  api.supported_count(&count);
  api.architectures.resize(count);
  if (count) api.supported(api.architectures.data());
  std::ranges::sort(api.architectures);
  Dl_info info;
  if (dladdr(dlsym(library, "nvrtcVersion"), &info) && info.dli_fname) api.path = info.dli_fname;
}

// A candidate, opened and bound; otherwise `why` grows by a line.
std::unique_ptr<Nvrtc> open_candidate(const std::string& path, std::string& why) {
  if (path.find('/') != std::string::npos) open_builtins(path);
  void* library = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
  if (!library) return why += text("\n  ", path, ": ", dlerror()), nullptr;
  std::unique_ptr<Nvrtc> api = bind_all(library);
  if (!api) return why += text("\n  ", path, ": older than CUDA 12.0"), dlclose(library), nullptr;
  read_facts(*api, library);
  return api;
}

std::atomic<const Nvrtc*> opened = nullptr;

}  // namespace

const Nvrtc* open_nvrtc() noexcept { return opened.load(std::memory_order_acquire); }

const Nvrtc& nvrtc(const NvrtcSearch& search) {
  if (const Nvrtc* api = open_nvrtc()) return *api;
  const CompileSection section;  // dlopen must not be cut by a fork either
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (const Nvrtc* api = open_nvrtc()) return *api;
  std::string tried;
  for (const std::string& path : nvrtc_candidates(search))
    if (std::unique_ptr<Nvrtc> api = open_candidate(path, tried)) {
      opened.store(api.get(), std::memory_order_release);
      return *api.release();  // never closed: NVRTC does not survive being unloaded
    }
  throw Error(ErrorKind::unavailable, {Stage::compiler,
                                       "NVRTC was not found; tried" + tried,
                                       "pip install nvidia-cuda-nvrtc, or name its file or folder in ROPELINE_NVRTC",
                                       {},
                                       {}});
}

}  // namespace ropeline::jit
