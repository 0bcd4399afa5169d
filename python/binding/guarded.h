#pragma once

#include <exception>
#include <string>

#include "c_api.h"

/// The border between C++ and the C functions: no exception crosses it, and texts outlive the call.
namespace ropeline::binding {

/// Keeps what an error says for `ropeline_error` and `ropeline_jit_error`, and gives its status.
int remember(const std::exception& error) noexcept;

/// Keeps a text until the next one on this thread.
void give(const char** place, std::string text);

template <class Body>
int guarded(Body body) noexcept try {
  body();
  return ropeline_ok;
} catch (const std::exception& error) {
  return remember(error);
} catch (...) {
  return remember(std::bad_exception());
}

}  // namespace ropeline::binding
