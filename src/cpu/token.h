#pragma once

// What belongs to one token of a call: its position, its table row, its rows of q and k, its cos and sin.

#include <cstdint>
#include <limits>

#include "cpu/lowered.h"
#include "kernels/shared/qk_norm_rope_params.h"

namespace ropeline::cpu {

struct TokenIndex {
  std::int64_t batch, token;
};

/// cos and sin of a token, fp32, ready to use. The second pair of arrays is read only where the two elements of a pair
/// have angles of their own (AngleLoop::split).
struct TokenAngles {
  alignas(64) float cos[kMaxPairs + kSlack];
  alignas(64) float sin[kMaxPairs + kSlack];
  alignas(64) float second_cos[kMaxPairs + kSlack];
  alignas(64) float second_sin[kMaxPairs + kSlack];
};

/// The position of a token, read whole.
inline std::int64_t position_of(const Lowered& op, const QkNormRopeParams& params, TokenIndex at) {
  const std::int64_t index = at.batch * params.position_batch + at.token * params.position_token;
  if (op.positions == DType::int32) return static_cast<const std::int32_t*>(params.positions)[index];
  return static_cast<const std::int64_t*>(params.positions)[index];
}

inline bool is_int32(std::int64_t position) {
  return position >= std::numeric_limits<std::int32_t>::min() && position <= std::numeric_limits<std::int32_t>::max();
}

/// No row of the table; no index of a row, which may be negative where rows run backward.
inline constexpr std::int64_t kNoRow = std::numeric_limits<std::int64_t>::min();

/// Element index of the token's row behind `cos` and `sin`, or kNoRow when its position is outside the table.
inline std::int64_t table_row_of(const Lowered& op, const AngleLoop& loop, const QkNormRopeParams& params,
                                 TokenIndex at) {
  if (loop.source == AngleSource::rows) return at.batch * params.table_batch + at.token * params.table_row;
  const std::int64_t position = position_of(op, params, at);
  return position >= 0 && position < params.table_rows ? position * params.table_row : kNoRow;
}

/// Head 0 of a token.
template <class Raw>
const Raw* input_of(const StreamParams& stream, TokenIndex at) {
  return static_cast<const Raw*>(stream.in) + at.batch * stream.in_batch + at.token * stream.in_token;
}

template <class Raw>
Raw* output_of(const StreamParams& stream, TokenIndex at) {
  return static_cast<Raw*>(stream.out) + at.batch * stream.out_batch + at.token * stream.out_token;
}

/// Copies count elements, unless they stay where they are.
template <class Raw>
void copy_elements(const Raw* in, Raw* out, int count) {
  if (in != out && count > 0) std::memcpy(out, in, static_cast<std::size_t>(count) * sizeof(Raw));
}

/// What a token without a legal position gets: NaN in every head of a rotated stream.
template <class E>
void fill_nan(typename E::Raw* out, std::int64_t head_stride, int heads, int head_dim) {
  for (int h = 0; h < heads; ++h) {
    for (int i = 0; i < head_dim; ++i) out[h * head_stride + i] = E::nan();
  }
}

}  // namespace ropeline::cpu
