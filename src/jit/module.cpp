#include <algorithm>

#include "bytes.h"
#include "cuda/context.h"
#include "cuda/launch.h"
#include "cuda/library.h"
#include "env.h"
#include "error.h"
#include "runtime.h"

namespace ropeline::jit {

// A program on one device: the binary, the driver's handle on it, the device it was uploaded to and its functions in
// the context that was current then.
struct detail::Loaded {
  std::shared_ptr<const Binary> binary;
  std::shared_ptr<const cuda::Library> library;
  const cuda::Driver& driver;
  int device;
  cuda::Context context;
  std::vector<cuda::Function> functions;  // one for each kernel
};

namespace {

void refuse_while_capturing(const Source& source, void* stream) {
  if (!cuda::is_capturing(stream)) return;
  throw Error(ErrorKind::unavailable,
              {Stage::load,
               text(source.name, ": not loaded yet, and the stream is being captured into a graph"),
               "load or prepare it before the capture begins",
               {},
               {}});
}

// One driver handle per binary and process, whatever the number of devices.
std::shared_ptr<const cuda::Library> library_of(Runtime& runtime, const Binary& binary) {
  return runtime.libraries.get(binary.key, [&] { return std::make_shared<const cuda::Library>(binary); });
}

Module load_onto(Runtime& runtime, const Request& request, int device) {
  Request checked = request;
  checked.check = [](const Binary& binary) { cuda::Library loads(binary); };
  const Build build = runtime.build(checked);
  auto library = library_of(runtime, *build.binary);
  auto functions = library->upload();
  return Module(std::make_shared<const detail::Loaded>(build.binary, std::move(library), cuda::require_driver(), device,
                                                       cuda::current_context(), std::move(functions)));
}

// The digest of all that a program on a device follows from, as long as its headers are given or embedded: they cannot
// change then.
Digest asked(const Source& source, const Options& options, int device) {
  Writer words;
  words.number(device);
  for (const std::string* word : {&source.name, &source.text, &options.architecture}) words.text(*word);
  words.number(source.kernels.size());
  for (const std::string& kernel : source.kernels) words.text(kernel);
  words.number(options.flags.size());
  for (const std::string& flag : options.flags) words.text(flag);
  words.number(source.headers.size());
  for (const Header& header : source.headers) words.text(header.name), words.text(header.text);
  words.number(static_cast<int>(options.minimal) + 2 * static_cast<int>(options.pin_compiler));
  words.text(env::nvrtc_append_flags().value_or(""));
  return sha256(words.take());
}

Module load_program(Runtime& runtime, const Source& source, const Options& options, int device, void* stream) {
  const Program program = resolve(source);
  const bool derived = options.architecture.empty();
  const std::string architecture = derived ? cuda::architecture(cuda::facts(device)) : options.architecture;
  // Within a process the compiler does not change, so that its version need not be known here.
  const Key key = make_key(program, architecture, options, options.pin_compiler ? "pinned" : "");
  return runtime.modules.get({hex(key.digest), device}, [&] {
    refuse_while_capturing(source, stream);
    return load_onto(runtime, {program, options, architecture, derived, options.pin_compiler ? nullptr : &key}, device);
  });
}

}  // namespace

Module load(const Source& source, const Options& options, void* stream) {
  const int device = cuda::make_current();
  const auto current = runtime();
  const auto from_the_text = [&] { return load_program(*current, source, options, device, stream); };
  if (!source.include_folders.empty()) return from_the_text();  // a file may have changed
  return current->asked.get(asked(source, options, device), from_the_text);
}

// One question to the driver, which takes a few nanoseconds, on the usual way.
[[gnu::hot]] void Kernel::launch_addresses(const Launch& how, const void* const* arguments) const {
  const detail::Loaded& l = *loaded_;
  cuda::Context current = nullptr;
  l.driver.context_current(&current);
  if (current != l.context) return launch_elsewhere(how, arguments);
  cuda::launch(l.driver, static_cast<cuda::Function>(function_), how, arguments, facts_->expression);
}

// From another device, from a thread that has none, or in another context of this device.
[[gnu::cold]] void Kernel::launch_elsewhere(const Launch& how, const void* const* arguments) const {
  const detail::Loaded& l = *loaded_;
  const cuda::CurrentDevice current(l.device, how.stream);
  void* const function = cuda::current_context() == l.context ? function_ : handle_;
  cuda::launch(l.driver, static_cast<cuda::Function>(function), how, arguments, facts_->expression);
}

void Kernel::allow_shared_bytes(int bytes) const {
  loaded_->library->allow_shared_bytes(static_cast<cuda::KernelHandle>(handle_), loaded_->device, bytes);
}

Kernel Module::kernel(std::size_t index) const {
  const auto& kernels = binary().kernels;
  require(index < kernels.size(), "kernel ", index, ": the module has ", kernels.size());
  Kernel kernel;
  kernel.loaded_ = loaded_;
  kernel.facts_ = &kernels[index];
  kernel.handle_ = loaded_->library->kernel(index);
  kernel.function_ = loaded_->functions[index];
  return kernel;
}

Kernel Module::kernel(const std::string& expression) const {
  std::string known;
  const auto& kernels = binary().kernels;
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    if (kernels[i].expression == expression) return kernel(i);
    known += text(known.empty() ? "" : ", ", kernels[i].expression);
  }
  throw_invalid(text("kernel '", expression, "': the module has ", known));
}

const Binary& Module::binary() const noexcept { return *loaded_->binary; }

}  // namespace ropeline::jit
