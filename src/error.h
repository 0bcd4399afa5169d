#pragma once

#include <locale>
#include <sstream>
#include <string>

#include "ropeline/error.h"

namespace ropeline {

/// The text of an error, a name or a key: its parts, one after the other. In the classic locale, whatever the process has
/// set: 1024 is "1024".
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  (out << ... << parts);
  return out.str();
}

[[noreturn, gnu::cold]] void throw_invalid(const std::string& sentence);
[[noreturn, gnu::cold]] void throw_unsupported(const std::string& sentence);

/// Throws Error{invalid_argument} with the sentence that the parts make. Never inlined, and by value: the checks of a
/// call are on its way to the device, where a part that is passed by its address would be stored for each of them.
template <class... Parts>
[[noreturn, gnu::cold, gnu::noinline]] void refuse_with(Parts... parts) {
  throw_invalid(text(parts...));
}

/// Throws Error{invalid_argument} with "field: ..." unless the condition holds.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) refuse_with(parts...);
}

}  // namespace ropeline
