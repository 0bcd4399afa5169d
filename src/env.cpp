#include "env.h"

#include <cstdlib>
#include <initializer_list>

namespace ropeline::env {
namespace {

std::optional<std::string> read(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

// The parts of a list with colons, empty ones left out.
std::vector<std::string> read_list(const char* name) {
  std::vector<std::string> parts;
  const std::string all = read(name).value_or("") + ":";
  for (std::size_t at = 0, end; (end = all.find(':', at)) != all.npos; at = end + 1)
    if (end > at) parts.push_back(all.substr(at, end - at));
  return parts;
}

std::vector<std::string> read_each(std::initializer_list<const char*> names) {
  std::vector<std::string> values;
  for (const char* name : names)
    if (auto value = read(name)) values.push_back(*value);
  return values;
}

}  // namespace

std::optional<std::string> cpu_target() { return read("ROPELINE_CPU_TARGET"); }

std::optional<std::string> threads() { return read("ROPELINE_THREADS"); }

std::optional<std::string> cache_folder() { return read("ROPELINE_CACHE_DIR"); }

std::optional<std::string> xdg_cache_home() { return read("XDG_CACHE_HOME"); }

std::optional<std::string> home() { return read("HOME"); }

std::vector<std::string> read_only_folders() { return read_list("ROPELINE_CACHE_READ_ONLY"); }

std::vector<std::string> packs() { return read_list("ROPELINE_PACKS"); }

bool no_compile() { return read("ROPELINE_NO_COMPILE").value_or("0") != "0"; }

std::optional<std::string> nvrtc() { return read("ROPELINE_NVRTC"); }

std::optional<std::string> nvrtc_append_flags() { return read("NVRTC_APPEND_FLAGS"); }

std::vector<std::string> cuda_roots() { return read_each({"CUDA_HOME", "CUDA_PATH"}); }

std::vector<std::string> python_prefixes() { return read_each({"VIRTUAL_ENV", "CONDA_PREFIX"}); }

#ifdef ROPELINE_FAULTS
std::string kill_at() { return read("ROPELINE_KILL_AT").value_or(""); }
#endif

}  // namespace ropeline::env
