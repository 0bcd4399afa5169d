#include "compiler.h"
#include "cuda/context.h"
#include "cuda/driver.h"
#include "error.h"
#include "ropeline/jit_cache.h"
#include "runtime.h"

namespace ropeline::jit {
namespace {

std::string architecture_of(const Options& options) {
  if (!options.architecture.empty()) return options.architecture;
  if (!cuda::driver())
    throw Error(ErrorKind::unavailable,
                {Stage::driver,
                 text("no architecture is named, and there is no CUDA driver to ask: ", cuda::absence()),
                 "name one, such as sm_90: no GPU is needed then",
                 {},
                 {}});
  return cuda::architecture(cuda::facts(cuda::make_current()));
}

}  // namespace

Build build(const Source& source, const Options& options) {
  const Program program = resolve(source);
  return runtime()->build({program, options, architecture_of(options)});
}

std::optional<Build> find(const Source& source, const Options& options) {
  const Program program = resolve(source);
  return runtime()->find({program, options, architecture_of(options)});
}

ProgramKey key_of(const Source& source, const Options& options) {
  const std::string pinned = options.pin_compiler ? full_version(runtime()->compiler()) : std::string();
  Key key = make_key(resolve(source), architecture_of(options), options, pinned);
  return {hex(key.digest), std::move(key.text)};
}

int current_device() noexcept { return cuda::current_device(); }

}  // namespace ropeline::jit
