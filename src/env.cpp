#include "env.h"

#include <cstdlib>

namespace ropeline::env {
namespace {

std::optional<std::string> read(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

}  // namespace

std::optional<std::string> cpu_target() { return read("ROPELINE_CPU_TARGET"); }

std::optional<std::string> threads() { return read("ROPELINE_THREADS"); }

}  // namespace ropeline::env
