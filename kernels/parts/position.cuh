#pragma once

// The position of a token: read whole, used as a signed 32-bit number, or known to be none (docs/numerics.md, 9).

#include "kernels/core/run.cuh"
#include "kernels/parts/place.cuh"

namespace ropeline::kernel {

struct Position {
  int32_t value;
  bool valid;
};

template <class C>
ROPELINE_DEVICE Position load_position(const QkNormRopeLaunch& p, const Place& at) {
  const char* from;
  if constexpr (C::packed)
    from = step(p.positions, at.token, C::wide_positions ? 8 : 4);
  else
    from = row_of<C::batched>(at, p.positions, p.position_token, p.position_batch);
  uint32_t word[2];
  Position position;
  if constexpr (C::wide_positions) {
    ptx::load_constant_8(word, from);
    position = {static_cast<int32_t>(word[0]), static_cast<int32_t>(word[1]) == static_cast<int32_t>(word[0]) >> 31};
  } else {
    ptx::load_constant_4(word, from);
    position = {static_cast<int32_t>(word[0]), true};
  }
  if constexpr (C::source() == Source::cache)
    position.valid = position.valid && position.value >= 0 && position.value < p.table_rows;
  return position;
}

/// x, or NaN for a token without an angle.
ROPELINE_DEVICE float if_valid(Position position, float x) { return position.valid ? x : float_of(0x7fffffffu); }

}  // namespace ropeline::kernel
