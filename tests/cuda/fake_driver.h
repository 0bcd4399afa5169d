#pragma once

#include <dlfcn.h>

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace ropeline::cuda {

/// What the fake driver answers and what it was told. Reached through `fake_driver()` in its library.
struct FakeDriver {
  // Answers.
  int devices = 2;
  int major = 9, minor = 0;
  int version = 13000;
  int current = -1;        ///< device of the current context; -1 is none; 100 more is another context of the device
  std::vector<int> below;  ///< those under it
  std::map<void*, int> stream_device = {};  ///< of streams that are not the current device's
  int capture_status = 0;                   ///< of every stream
  int capture_result = 0;                   ///< of asking
  int load_result = 0;
  int kernel_result = 0;
  int launch_result = 0;
  std::map<std::string, int> fail;  ///< results of other entry points, by name: "cuMemAlloc"
  std::size_t argument_bytes = 0;   ///< of a launch's first argument, to be kept

  static constexpr int function_of_kernel = 0x100000;  ///< how far a kernel's function is from its handle

  // Told.
  struct Launch {
    unsigned grid[3], block[3], shared_bytes;
    void* stream;
    std::vector<int> attribute_ids, attribute_values;
    std::vector<void*> arguments;  ///< addresses, up to the null
    std::string first_argument;    ///< its bytes
    void* function;
    int device;  ///< current at that moment
  };
  std::vector<Launch> launches;
  std::vector<std::string> images, symbols;
  std::vector<std::string> calls;  ///< uploads, attributes, contexts
  int unloaded = 0;
  int allocations = 0;   ///< that are not freed yet
  int capture_mode = 0;  ///< of the thread
};

inline FakeDriver& fake_driver() {
  void* library = dlopen("libcuda.so.1", RTLD_LAZY);
  static auto* const get = reinterpret_cast<FakeDriver* (*)()>(library ? dlsym(library, "fake_driver_state") : nullptr);
  if (!get) throw std::runtime_error("the fake driver is not on LD_LIBRARY_PATH");
  return *get();
}

}  // namespace ropeline::cuda
