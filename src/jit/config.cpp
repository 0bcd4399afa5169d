#include "env.h"
#include "fork.h"
#include "runtime.h"

namespace ropeline::jit {
namespace {

std::string default_cache_folder() {
  if (auto folder = env::cache_folder()) return *folder;
  if (auto folder = env::xdg_cache_home(); folder && folder->starts_with("/")) return *folder + "/ropeline";
  if (auto home = env::home()) return *home + "/.cache/ropeline";
  return {};
}

// Leaked on purpose: kernels may be asked for until the very end of a process.
std::shared_ptr<Runtime>& slot() {
  static auto* const runtime = new std::shared_ptr<Runtime>();
  return *runtime;
}

// What an interpreter has named. Leaked as the runtime is; hold_once guards it.
std::vector<std::string>& named_prefixes() {
  static auto* const prefixes = new std::vector<std::string>();
  return *prefixes;
}

}  // namespace

void add_python_prefix(std::string prefix) {
  const auto lock = detail::hold_once();
  named_prefixes().push_back(std::move(prefix));
}

Config default_config() {
  Config config;
  config.cache_folder = default_cache_folder();
  config.read_only_folders = env::read_only_folders();
  config.packs = env::packs();
  config.compile = !env::no_compile();
  config.nvrtc = env::nvrtc().value_or("");
  const auto lock = detail::hold_once();
  config.python_prefixes = named_prefixes();
  return config;
}

void configure(Config config) {
  auto made = std::make_shared<Runtime>(std::move(config));
  const auto lock = detail::hold_once();
  slot().swap(made);
}

std::shared_ptr<Runtime> runtime() {
  {
    const auto lock = detail::hold_once();
    if (slot()) return slot();
  }
  auto made = std::make_shared<Runtime>(default_config());
  const auto lock = detail::hold_once();
  if (!slot()) slot() = std::move(made);
  return slot();
}

Statistics statistics() { return runtime()->statistics(); }

CacheStatus cache_status() { return runtime()->cache_status(); }

CompilerStatus compiler_status() try {
  const Nvrtc& api = runtime()->compiler();
  CompilerStatus status{api.path, std::to_string(api.major) + "." + std::to_string(api.minor), {}, {}};
  for (int architecture : api.architectures) status.architectures.push_back("sm_" + std::to_string(architecture));
  return status;
} catch (const Error& error) {
  return {{}, {}, {}, error.sentence() + (error.hint().empty() ? "" : "\nhint: " + error.hint())};
}

}  // namespace ropeline::jit
