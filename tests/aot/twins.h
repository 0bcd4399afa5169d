#pragma once

#include <string>
#include <vector>

#include "aot/specs.h"
#include "tests/jit/setting.h"

namespace ropeline::aot {

inline constexpr const char* kArchitectures[] = {"sm_80", "sm_90", "sm_100", "sm_120"};

/// Who compiles.
enum class Maker { jit, nvcc };

/// The specs of aot/specs.txt, from the copy beside the packs.
const std::vector<AnySpec>& specs();

/// The pack of nvcc's programs for an architecture: in the folder ROPELINE_TWIN_DIR, or where the build has put it.
std::string pack_of(const std::string& architecture);

/// From now on the JIT compiles everything anew, or finds everything in that pack and compiles nothing.
void configure(Maker maker, const std::string& architecture);

}  // namespace ropeline::aot
