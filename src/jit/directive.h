#pragma once

#include <optional>
#include <string_view>

namespace ropeline::jit {

/// An include directive that can be followed: where its operand (with the quotes) stands within the line, and what it
/// says.
struct Include {
  std::size_t begin = 0, end = 0;
  std::string_view name;
  bool quoted = false;
};

/// Of a line; nothing when it is none, or one that is spelled in another way than #include "name" and #include <name>.
std::optional<Include> parse_include(std::string_view line);

/// Whether the hash (# or %:) at that place begins a directive that has the compiler open a file, however it is
/// spelled: over several lines, with comments within, its operand a macro.
bool opens_a_file(std::string_view text, std::size_t hash);

}  // namespace ropeline::jit
