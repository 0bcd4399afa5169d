// The rows of the comparator, compiled once for each variant (bench/CMakeLists.txt): with AVX512_BF16 the CPU narrows
// to bf16 itself, without it integers do.

#include <immintrin.h>

#include <cmath>

#include "sglang_retyped.h"

namespace ropeline::bench::SGLANG_RETYPED_VARIANT {
namespace {

constexpr int kLanes = 16;
constexpr int kMaxVectors = 256 / kLanes;

__m512 widen(const std::uint16_t* from) {
  const __m256i narrow = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

__m256i narrow(__m512 x) {
#if defined(__AVX512BF16__)
  return reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(x));
#else
  const __m512i u = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7fff)), odd), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, nan, _mm512_set1_epi32(0xffff)));
#endif
}

void store(std::uint16_t* to, __m512 x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow(x)); }

inline __attribute__((always_inline)) void one_head(std::uint16_t* head, const std::uint16_t* weight, const float* cos,
                                                    int dim, float eps) {
  __m512 x[kMaxVectors];
  __m512 squares = _mm512_setzero_ps();
  const int vectors = dim / kLanes, half = vectors / 2;
  for (int i = 0; i < vectors; ++i) {
    x[i] = widen(head + i * kLanes);
    squares = _mm512_fmadd_ps(x[i], x[i], squares);
  }
  const float inv = 1.0f / std::sqrt(_mm512_reduce_add_ps(squares) / static_cast<float>(dim) + eps);
  for (int i = 0; i < vectors; ++i) {
    x[i] = _mm512_mul_ps(_mm512_mul_ps(x[i], _mm512_set1_ps(inv)), widen(weight + i * kLanes));
  }
  const float* sin = cos + dim / 2;
  for (int i = 0; i < half; ++i) {
    const __m512 c = _mm512_loadu_ps(cos + i * kLanes), s = _mm512_loadu_ps(sin + i * kLanes);
    store(head + i * kLanes, _mm512_fmsub_ps(x[i], c, _mm512_mul_ps(x[i + half], s)));
    store(head + (i + half) * kLanes, _mm512_fmadd_ps(x[i + half], c, _mm512_mul_ps(x[i], s)));
  }
}

/// The widths that models have get loops of known length, as the templates of such kernels do.
template <int kDim>
void tokens(const SglangCall& call, std::int64_t begin, std::int64_t end) {
  const int dim = kDim ? kDim : call.head_dim;
  for (std::int64_t t = begin; t < end; ++t) {
    const float* cos = call.cos_sin_cache + call.positions[t] * dim;
    std::uint16_t* q = call.q + t * call.q_heads * dim;
    std::uint16_t* k = call.k + t * call.k_heads * dim;
    for (int h = 0; h < call.q_heads; ++h) one_head(q + h * dim, call.q_weight, cos, dim, call.eps);
    for (int h = 0; h < call.k_heads; ++h) one_head(k + h * dim, call.k_weight, cos, dim, call.eps);
  }
}

}  // namespace

void rows(const SglangCall& call, std::int64_t begin, std::int64_t end) {
  switch (call.head_dim) {
    case 64: return tokens<64>(call, begin, end);
    case 128: return tokens<128>(call, begin, end);
    default: return tokens<0>(call, begin, end);
  }
}

}  // namespace ropeline::bench::SGLANG_RETYPED_VARIANT
