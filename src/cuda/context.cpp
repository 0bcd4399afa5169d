#include "context.h"

#include "error.h"
#include "ropeline/device.h"

namespace ropeline::cuda {
namespace {

int attribute_of(const Driver& d, int attribute, DeviceHandle device) {
  int value = 0;
  check(d, d.device_attribute(&value, attribute, device), jit::Stage::driver, "cuDeviceGetAttribute");
  return value;
}

DeviceFacts read_facts(int index) {
  const Driver& d = require_driver();
  if (index < 0 || index >= device_count())
    throw jit::Error(
        ErrorKind::invalid_argument,
        {jit::Stage::driver, text("device cuda:", index, ": this machine has ", device_count()), {}, {}, {}});
  DeviceHandle device = 0;
  check(d, d.device_get(&device, index), jit::Stage::driver, text("cuDeviceGet(", index, ")"));
  char name[256] = "";
  d.device_name(name, sizeof name, device);
  return {name,
          attribute_of(d, attribute::major, device),
          attribute_of(d, attribute::minor, device),
          attribute_of(d, attribute::multiprocessors, device),
          attribute_of(d, attribute::l2_bytes, device),
          attribute_of(d, attribute::shared_bytes_optin, device)};
}

// Retained once per device and kept for the life of the process, as the CUDA runtime does.
Context primary_context(int index) {
  static auto* const contexts = new jit::Once<int, Context>();
  return contexts->get(index, [&] {
    const Driver& d = require_driver();
    DeviceHandle device = 0;
    Context context = nullptr;
    check(d, d.device_get(&device, index), jit::Stage::driver, text("cuDeviceGet(", index, ")"));
    check(d, d.primary_retain(&context, device), jit::Stage::driver, "cuDevicePrimaryCtxRetain");
    return context;
  });
}

// The null stream is of whichever context is current, and a stream of a part of a device (a green context) has none.
int device_of_stream(void* stream) {
  const Driver& d = require_driver();
  Context context = nullptr, popped;
  if (!stream || d.stream_context(static_cast<Stream>(stream), &context) != result::success) return -1;
  if (d.context_push(context) != result::success) return -1;
  const int device = current_device();
  d.context_pop(&popped);
  return device;
}

}  // namespace

int device_count() noexcept {
  int count = 0;
  return driver() && driver()->device_count(&count) == result::success ? count : 0;
}

const DeviceFacts& facts(int device) {
  static auto* const once = new jit::Once<int, DeviceFacts>();
  return once->get(device, [&] { return read_facts(device); });
}

std::string obstacle(int device) {
  const std::string at = text("cuda:", device, ": ");
  if (!driver()) return at + "no CUDA driver: " + absence();
  const int count = device_count();
  if (device < 0 || device >= count) return text(at, "this machine has ", count, " CUDA device", count == 1 ? "" : "s");
  const DeviceFacts& f = facts(device);
  return f.major >= 8 ? std::string() : text(at, f.name, " is ", architecture(f), ", the kernels need sm_80");
}

std::string architecture(const DeviceFacts& facts) { return text("sm_", facts.major, facts.minor); }

Context current_context() noexcept {
  Context context = nullptr;
  return driver() && driver()->context_current(&context) == result::success ? context : nullptr;
}

// Where there is no context the second question would be an error, which compute-sanitizer counts.
int current_device() noexcept {
  DeviceHandle device = -1;
  return current_context() && driver()->context_device(&device) == result::success ? device : -1;
}

int make_current() {
  const Driver& d = require_driver();
  if (const int device = current_device(); device >= 0) return device;
  check(d, d.context_set(primary_context(0)), jit::Stage::driver, "cuCtxSetCurrent");
  return 0;
}

CurrentDevice::CurrentDevice(int device) {
  if (current_device() == device) return;
  const Driver& d = require_driver();
  check(d, d.context_push(primary_context(device)), jit::Stage::driver, "cuCtxPushCurrent");
  pushed_ = true;
}

CurrentDevice::CurrentDevice(int device, void* stream) : CurrentDevice(device) { check_stream(stream, device); }

void CurrentDevice::leave() {
  Context popped;
  driver()->context_pop(&popped);
}

void check_stream(void* stream, int device) {
  const int of = device_of_stream(stream);
  if (of < 0 || of == device) return;
  throw jit::Error(ErrorKind::invalid_argument, {jit::Stage::launch,
                                                 text("stream: is of cuda:", of, ", the kernel runs on cuda:", device),
                                                 "a stream belongs to the device that was current when it was made",
                                                 {},
                                                 {}});
}

BesideCaptures::BesideCaptures() : mode_(capture_mode::relaxed) {
  const Driver& d = require_driver();
  check(d, d.exchange_capture_mode(&mode_), jit::Stage::driver, "cuThreadExchangeStreamCaptureMode");
}

BesideCaptures::~BesideCaptures() { driver()->exchange_capture_mode(&mode_); }

bool is_capturing(void* stream) {
  const Driver& d = require_driver();
  int status = 0;
  const Result result = d.is_capturing(static_cast<Stream>(stream), &status);
  if (result == result::capture_implicit) return true;
  check(d, result, jit::Stage::driver, "cuStreamIsCapturing");
  return status != 0;
}

}  // namespace ropeline::cuda

std::vector<std::string> ropeline::cuda_devices() {
  std::vector<std::string> devices;
  for (int i = 0; i < cuda::device_count(); ++i)
    devices.push_back(text(cuda::facts(i).name, ", ", cuda::architecture(cuda::facts(i))));
  return devices;
}

std::string ropeline::cuda_driver_version() {
  const cuda::Driver* driver = cuda::driver();
  return driver ? text(driver->version / 1000, ".", driver->version % 1000 / 10) : "";
}
