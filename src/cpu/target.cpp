#include "cpu/target.h"

namespace ropeline::cpu {

bool is_available(CpuTarget target) { return target == CpuTarget::scalar || simd_loop(target, DType::bf16) != nullptr; }

}  // namespace ropeline::cpu
