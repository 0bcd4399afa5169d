#pragma once

#include <string>
#include <variant>
#include <vector>

#include "ropeline/jit.h"
#include "ropeline/kv_cast.h"
#include "ropeline/spec.h"

namespace ropeline::aot {

/// A spec of any op.
using AnySpec = std::variant<Spec, KvCastSpec>;

/// The specs of a file such as aot/specs.txt: the op's name and JSON, one a line; empty lines and lines that begin with
/// # say nothing. Throws Error that names the file and the line.
std::vector<AnySpec> specs_in(const std::string& path);

/// "kv_cast {...}", as it stands in the file.
std::string text_of(const AnySpec& spec);

/// The program that its kernels are compiled from.
jit::Source source_of(const AnySpec& spec);

}  // namespace ropeline::aot
