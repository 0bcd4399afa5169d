// libcuda.so.1 for tests: the entry points that src/cuda uses. Layouts are written out again here, so that a slip in
// the library's own declarations shows.

#include "tests/cuda/fake_driver.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

using ropeline::cuda::FakeDriver;

namespace {

FakeDriver& state() {
  static FakeDriver driver;
  return driver;
}

struct Attribute {
  int id;
  int padding;
  int value;
  char rest[60];
};

struct Config {
  unsigned grid[3], block[3], shared_bytes, padding;
  void* stream;
  const Attribute* attributes;
  unsigned attribute_count;
};

void* handle(std::size_t number) { return reinterpret_cast<void*>(0x1000 + number); }

void note(const std::string& call) { state().calls.push_back(call); }

// Copies to the device that their caller has been told of, and the device not yet: as small ones from pageable memory.
struct Copy {
  unsigned long long to;
  std::string bytes;
};

std::vector<Copy>& on_the_way() {
  static std::vector<Copy> copies;
  return copies;
}

void arrive() {
  for (const Copy& copy : on_the_way())
    std::memcpy(reinterpret_cast<void*>(copy.to), copy.bytes.data(), copy.bytes.size());
  on_the_way().clear();
}

int result_of(const char* name) {
  const auto found = state().fail.find(name);
  return found == state().fail.end() ? 0 : found->second;
}

int device_of_stream(void* stream) {
  const auto found = state().stream_device.find(stream);
  return found == state().stream_device.end() ? state().current % 100 : found->second;
}

}  // namespace

extern "C" {

FakeDriver* fake_driver_state() { return &state(); }

int cuInit(unsigned) { return 0; }
int cuGetExportTable(const void**, const void*) { return 500; }  // NVRTC asks for one
int cuGetErrorName(int result, const char** name) {
  return *name = result == 1 ? "CUDA_ERROR_INVALID_VALUE" : "CUDA_ERROR_FAKE", 0;
}
int cuGetErrorString(int, const char** text) { return *text = "fake", 0; }
int cuDriverGetVersion(int* version) { return *version = state().version, 0; }
int cuDeviceGetCount(int* count) { return *count = state().devices, 0; }
int cuDeviceGet(int* device, int index) { return *device = index, index < state().devices ? 0 : 101; }
int cuDeviceGetName(char* name, int size, int device) {
  std::strncpy(name, ("Fake " + std::to_string(device)).c_str(), size);
  return 0;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
  *value = attribute == 75   ? state().major
           : attribute == 76 ? state().minor
           : attribute == 16 ? 132
           : attribute == 38 ? 50 << 20
                             : 227 << 10;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** context, int device) {
  if (const int result = result_of("cuDevicePrimaryCtxRetain")) return result;
  return *context = handle(device), note("retain " + std::to_string(device)), 0;
}
int cuCtxGetCurrent(void** context) { return *context = state().current < 0 ? nullptr : handle(state().current), 0; }
int cuCtxSetCurrent(void* context) {
  return state().current = static_cast<int>(reinterpret_cast<std::size_t>(context) - 0x1000), 0;
}
int cuCtxPushCurrent_v2(void* context) {
  if (const int result = result_of("cuCtxPushCurrent")) return result;
  state().below.push_back(state().current);
  return note("push"), cuCtxSetCurrent(context);
}
int cuCtxPopCurrent_v2(void**) {
  state().current = state().below.back();
  return state().below.pop_back(), note("pop"), 0;
}
int cuCtxGetDevice(int* device) {
  if (state().current < 0) return state().calls.push_back("device of no context"), 201;
  return *device = state().current % 100, 0;
}

int cuLibraryLoadData(void** library, const void* image, int*, void**, unsigned, int*, void**, unsigned) {
  if (state().load_result) return state().load_result;
  state().images.push_back(static_cast<const char*>(image));
  return *library = handle(state().images.size()), 0;
}
int cuLibraryUnload(void*) { return ++state().unloaded, 0; }
int cuLibraryGetKernel(void** kernel, void*, const char* name) {
  if (state().kernel_result) return state().kernel_result;
  state().symbols.push_back(name);
  return *kernel = handle(state().symbols.size()), 0;
}
int cuKernelGetFunction(void** function, void* kernel) {
  return *function = static_cast<char*>(kernel) + FakeDriver::function_of_kernel, result_of("cuKernelGetFunction");
}
int cuKernelGetAttribute(int* value, int, void*, int) { return *value = 0, 0; }
int cuKernelSetAttribute(int attribute, int value, void*, int device) {
  return note("attribute " + std::to_string(attribute) + " = " + std::to_string(value) + " on " +
              std::to_string(device)),
         0;
}
int cuFuncLoad(void*) { return note("upload"), result_of("cuFuncLoad"); }
int cuFuncGetAttribute(int* value, int, void*) { return *value = 32, result_of("cuFuncGetAttribute"); }

int cuLaunchKernelEx(const Config* config, void* function, void** arguments, void**) {
  if (state().launch_result) return state().launch_result;
  // A function is of a context, as a stream is; a kernel's handle is of none.
  const bool is_function = reinterpret_cast<std::size_t>(function) > FakeDriver::function_of_kernel;
  if (is_function && device_of_stream(config->stream) != state().current % 100) return 400;
  FakeDriver::Launch launch{};
  std::memcpy(launch.grid, config->grid, sizeof launch.grid);
  std::memcpy(launch.block, config->block, sizeof launch.block);
  launch.shared_bytes = config->shared_bytes;
  launch.stream = config->stream;
  launch.function = function;
  launch.device = state().current % 100;
  for (unsigned i = 0; i < config->attribute_count; ++i) {
    launch.attribute_ids.push_back(config->attributes[i].id);
    launch.attribute_values.push_back(config->attributes[i].value);
  }
  if (state().argument_bytes) launch.first_argument.assign(static_cast<char*>(*arguments), state().argument_bytes);
  while (*arguments) launch.arguments.push_back(*arguments++);
  state().launches.push_back(launch);
  return 0;
}

int cuStreamIsCapturing(void*, int* status) { return *status = state().capture_status, state().capture_result; }
int cuThreadExchangeStreamCaptureMode(int* mode) { return std::swap(*mode, state().capture_mode), 0; }
int cuStreamCreate(void** stream, unsigned) { return *stream = handle(0), 0; }
int cuStreamDestroy_v2(void*) { return 0; }
int cuStreamSynchronize(void* stream) {
  if (const int result = result_of("cuStreamSynchronize")) return result;
  if (!stream) arrive();
  return 0;
}
int cuStreamGetCtx(void* stream, void** context) {
  if (const int result = result_of("cuStreamGetCtx")) return result;
  return *context = handle(device_of_stream(stream)), 0;
}
int cuMemAlloc_v2(unsigned long long* address, std::size_t bytes) {
  if (const int result = result_of("cuMemAlloc")) return result;
  note("allocate on " + std::to_string(state().current) + ", capture mode " + std::to_string(state().capture_mode));
  ++state().allocations;
  return *address = reinterpret_cast<unsigned long long>(std::aligned_alloc(256, (bytes + 255) / 256 * 256)), 0;
}
int cuMemFree_v2(unsigned long long address) {
  --state().allocations;
  arrive();
  note("free on " + std::to_string(state().current));
  return std::free(reinterpret_cast<void*>(address)), 0;
}
int cuMemcpyHtoD_v2(unsigned long long to, const void* from, std::size_t n) {
  if (const int result = result_of("cuMemcpyHtoD")) return result;
  on_the_way().push_back({to, std::string(static_cast<const char*>(from), n)});
  return 0;
}
int cuMemcpyDtoH_v2(void* to, unsigned long long from, std::size_t n) {
  arrive();
  return std::memcpy(to, reinterpret_cast<const void*>(from), n), 0;
}
}
