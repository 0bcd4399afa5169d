#include "cpu/target.h"

namespace ropeline::cpu {

bool is_available(CpuTarget target) { return target == CpuTarget::scalar || simd_runs(target); }

}  // namespace ropeline::cpu
