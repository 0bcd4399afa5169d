#include "cpu/target.h"

namespace ropeline::cpu {
TokenLoop simd_loop(CpuTarget, DType) { return nullptr; }
}  // namespace ropeline::cpu
