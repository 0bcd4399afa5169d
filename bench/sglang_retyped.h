#pragma once

#include <cstdint>

namespace ropeline::bench {

/// A comparator: what sglang's CPU op `fused_qk_norm_rope_cpu` does, **re-typed from its description**, not its code.
/// AVX-512; bf16 heads in place; fp32 cos_sin_cache by position; NeoX pairs over the whole head; the sum of squares in
/// lanes, added up at the end; fp32 throughout and one rounding at the store. Like the original, it knows no weight
/// offset.
struct SglangCall {
  std::uint16_t *q, *k;                      ///< [T, heads, head_dim], dense
  const std::uint16_t *q_weight, *k_weight;  ///< [head_dim]
  const std::int64_t* positions;             ///< [T]
  const float* cos_sin_cache;                ///< [P, head_dim]: cos, then sin
  int q_heads, k_heads, head_dim;            ///< head_dim a multiple of 32, at most 256
  float eps;
};

/// Whether this CPU has what it needs.
bool sglang_retyped_runs_here();

/// Tokens [begin, end).
void sglang_retyped(const SglangCall& call, std::int64_t begin, std::int64_t end);

}  // namespace ropeline::bench
