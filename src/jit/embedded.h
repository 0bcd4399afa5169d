#pragma once

#include <string_view>

namespace ropeline::jit {

/// The text of a file of kernels/, by its name from the repository's root ("kernels/shared/phase.h"), as it was when
/// the library was built. Empty when there is none of that name.
std::string_view embedded(std::string_view name) noexcept;

}  // namespace ropeline::jit
