#pragma once

#include <string>
#include <vector>

namespace ropeline::emulator {

/// Writes FOLDER/kernels_0.cpp to kernels_{count-1}.cpp: sources that instantiate kernels of qk_norm_rope.cuh, by the
/// names that NVRTC would be asked for, for `find_kernel`. A file is written only when its text changes.
void write_kernels(const std::string& folder, int count, const std::vector<std::string>& names);

}  // namespace ropeline::emulator
