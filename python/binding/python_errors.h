#pragma once

#include <stdexcept>

#include "error.h"

namespace ropeline::binding {

/// torch turns std::invalid_argument into ValueError and other exceptions into RuntimeError, with our text unchanged.
/// `note` stands behind it.
template <class Body>
void with_python_errors(Body body, const char* note = "") try {
  body();
} catch (const Error& error) {
  if (error.kind() != ErrorKind::invalid_argument) throw;
  throw std::invalid_argument(text(error.what(), note));
}

}  // namespace ropeline::binding
