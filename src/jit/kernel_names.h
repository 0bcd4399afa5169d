#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ropeline::jit {

/// The names of the kernels that a text defines or declares, as they stand behind `__global__`: without namespace and
/// template arguments. For hints: what a macro makes is not seen.
std::vector<std::string> kernels_in(std::string_view text);

/// The name within a name expression: "scale" of "mine::scale<float, 4>".
std::string_view bare_name(std::string_view expression);

}  // namespace ropeline::jit
