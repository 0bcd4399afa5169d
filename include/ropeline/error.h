#pragma once

#include <stdexcept>
#include <string>

#include "ropeline/export.h"

namespace ropeline {

/// Whose mistake an error is. The kinds are few on purpose: a caller decides by kind, a person reads the text.
enum class ErrorKind {
  invalid_argument,  ///< The caller handed in something wrong; the text names the field, the value and what is right.
  unsupported,       ///< Legal, but this version or this device does not run it; `supports` says the same sentence.
  unavailable,       ///< The machine lacks something (a driver, a library, a folder).
  internal,          ///< A fault of Ropeline itself. Please report it.
};

/// The one exception type of the C++ surface. Nothing has been written to any output when it is thrown.
class ROPELINE_API Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace ropeline
