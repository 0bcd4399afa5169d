#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ropeline::jit {

/// What is wrong with a `__has_include` of the texts of a program, or an empty string. Its answer would depend on the
/// files of this machine, which no key holds, when it asks for an absolute name, or for whatever a macro spells. A
/// macro that hands its parameter on (`#define HAS(x) __has_include(x)`) asks as `__has_include` does.
std::string unanswerable(const std::vector<std::string_view>& texts);

}  // namespace ropeline::jit
