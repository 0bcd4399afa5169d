#include "guarded.h"

#include <nlohmann/json.hpp>

#include "jit_c_api.h"
#include "ropeline/jit.h"

namespace ropeline::binding {
namespace {

thread_local std::string last_error, last_jit_error, last_text;

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::invalid_argument: return ropeline_invalid_argument;
    case ErrorKind::unsupported: return ropeline_unsupported;
    case ErrorKind::unavailable: return ropeline_unavailable;
    case ErrorKind::internal: return ropeline_internal;
  }
  return ropeline_internal;
}

// A compiler's log may quote bytes of a source that are no UTF-8.
std::string in_parts(const jit::Error& error) {
  return nlohmann::ordered_json{{"stage", jit::name_of(error.stage())},
                                {"sentence", error.sentence()},
                                {"hint", error.hint()},
                                {"options", error.options()},
                                {"log", error.log()}}
      .dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

int remember(const std::exception& error) noexcept try {
  last_jit_error.clear();
  last_error = error.what();
  if (const auto* of_jit = dynamic_cast<const jit::Error*>(&error)) last_jit_error = in_parts(*of_jit);
  const auto* ours = dynamic_cast<const Error*>(&error);
  return ours ? status_of(ours->kind()) : ropeline_internal;
} catch (...) {
  last_error = "memory";  // out of it; short enough to need none
  last_jit_error.clear();
  return ropeline_internal;
}

void give(const char** place, std::string text) {
  last_text = std::move(text);
  *place = last_text.c_str();
}

}  // namespace ropeline::binding

const char* ropeline_error() { return ropeline::binding::last_error.c_str(); }

const char* ropeline_jit_error() { return ropeline::binding::last_jit_error.c_str(); }
