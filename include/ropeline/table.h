#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ropeline/frequencies.h"

namespace ropeline {

/// How a table's angles are formed (numerics.md, angles).
enum class AngleMode : std::uint8_t {
  exact,         ///< 64-bit fixed-point turns: right at every position. What the kernels compute themselves.
  fp32_product,  ///< fl(fl(position) * inv_freq) as transformers computes it, then exact range reduction.
};

/// cos and sin of P positions, times the attention factor: fp32, row-major, P rows of rotary_dim / 2 values each.
struct CosSinTable {
  std::int64_t positions = 0;
  int rotary_dim = 0;
  std::vector<float> cos;
  std::vector<float> sin;
};

/// The table of the given positions. The caller rounds it to another dtype if that is wanted.
/// Throws Error{invalid_argument} for a position outside int32 or malformed frequencies.
ROPELINE_API CosSinTable cos_sin_table(const Frequencies& frequencies, std::span<const std::int64_t> positions,
                                       AngleMode mode = AngleMode::exact);

/// The table of positions 0 .. count-1.
ROPELINE_API CosSinTable cos_sin_table(const Frequencies& frequencies, std::int64_t count,
                                       AngleMode mode = AngleMode::exact);

}  // namespace ropeline
