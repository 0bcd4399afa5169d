#include "ropeline/table.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "angles/reduction.h"
#include "error.h"
#include "float_mode.h"
#include "kernels/shared/phase.h"

namespace ropeline {
namespace {

// Fills one table row by row; phase(position, i) is the angle of frequency i.
template <class Phase>
CosSinTable fill(const Frequencies& frequencies, std::span<const std::int64_t> positions, Phase phase) {
  const int pairs = frequencies.rotary_dim / 2;
  const float factor = frequencies.attention_factor();
  CosSinTable table{static_cast<std::int64_t>(positions.size()), frequencies.rotary_dim, {}, {}};
  table.cos.reserve(positions.size() * pairs);
  table.sin.reserve(positions.size() * pairs);
  for (std::int64_t position : positions)
    for (int i = 0; i < pairs; ++i) {
      const SinCos value = phase(static_cast<std::int32_t>(position), i);
      table.cos.push_back(value.cos * factor);
      table.sin.push_back(value.sin * factor);
    }
  return table;
}

CosSinTable exact_table(const Frequencies& frequencies, std::span<const std::int64_t> positions) {
  std::vector<Turns> turns;
  for (std::uint64_t f : frequencies.turns()) turns.push_back(split_turns(f));
  return fill(frequencies, positions,
              [&](std::int32_t position, int i) { return sin_cos(phase_of(position, turns[i])); });
}

// The sign is put back behind the polynomial, so that both are as even and odd as the functions are.
SinCos sin_cos_of_radians(float a) {
  const SinCos value = sin_cos(angles::phase_of_magnitude(a));
  return {std::signbit(a) ? -value.sin : value.sin, value.cos};
}

CosSinTable product_table(const Frequencies& frequencies, std::span<const std::int64_t> positions) {
  const std::vector<float> inv_freq = frequencies.rounded();
  return fill(frequencies, positions, [&](std::int32_t position, int i) {
    return sin_cos_of_radians(static_cast<float>(position) * inv_freq[i]);
  });
}

}  // namespace

CosSinTable cos_sin_table(const Frequencies& frequencies, std::span<const std::int64_t> positions, AngleMode mode) {
  const FloatMode contract;
  using Limits = std::numeric_limits<std::int32_t>;
  for (std::size_t i = 0; i < positions.size(); ++i)
    require(positions[i] >= Limits::min() && positions[i] <= Limits::max(), "positions[", i, "] ", positions[i],
            " must be from -2^31 to 2^31 - 1");
  return mode == AngleMode::exact ? exact_table(frequencies, positions) : product_table(frequencies, positions);
}

CosSinTable cos_sin_table(const Frequencies& frequencies, std::int64_t count, AngleMode mode) {
  require(count >= 0 && count <= std::int64_t{1} << 31, "count ", count, " must be from 0 to 2^31");
  std::vector<std::int64_t> positions(count);
  std::iota(positions.begin(), positions.end(), std::int64_t{0});
  return cos_sin_table(frequencies, positions, mode);
}

}  // namespace ropeline
