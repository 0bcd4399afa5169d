#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ropeline/jit.h"

namespace ropeline::binding {

/// One parameter of a kernel.
struct Parameter {
  std::string type;     ///< "float const*", as a demangler writes it; empty for a kernel that is extern "C"
  unsigned offset = 0;  ///< in the kernel's parameter memory
  unsigned bytes = 0;
};

/// What a kernel takes, in order, after two witnesses: its mangled name has the types, and its image the sizes (a
/// cubin's .nv.info section, PTX's .entry). Empty optional: nothing tells them, or the two disagree.
std::optional<std::vector<Parameter>> parameters_of(const jit::Binary& binary, const jit::KernelFacts& kernel);

/// The types in a mangled name of a function: "float*", "float const*", "int". Empty optional for extern "C".
std::optional<std::vector<std::string>> types_in(const std::string& symbol);

}  // namespace ropeline::binding
