#include "sglang_retyped.h"

namespace ropeline::bench {

#if defined(__x86_64__)
namespace avx512 {
void rows(const SglangCall& call, std::int64_t begin, std::int64_t end);
}
namespace avx512_bf16 {
void rows(const SglangCall& call, std::int64_t begin, std::int64_t end);
}

bool sglang_retyped_runs_here() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

void sglang_retyped(const SglangCall& call, std::int64_t begin, std::int64_t end) {
  static const bool converts = __builtin_cpu_supports("avx512bf16");
  converts ? avx512_bf16::rows(call, begin, end) : avx512::rows(call, begin, end);
}
#else
bool sglang_retyped_runs_here() { return false; }
void sglang_retyped(const SglangCall&, std::int64_t, std::int64_t) {}
#endif

}  // namespace ropeline::bench
