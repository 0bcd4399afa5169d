#pragma once

#include <sstream>
#include <string>

#include "ropeline/error.h"

namespace ropeline {

/// The text of an error: its parts, one after the other.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

[[noreturn]] void throw_invalid(const std::string& sentence);
[[noreturn]] void throw_unsupported(const std::string& sentence);

/// Throws Error{invalid_argument} with "field: ..." unless the condition holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) throw_invalid(text(parts...));
}

}  // namespace ropeline
