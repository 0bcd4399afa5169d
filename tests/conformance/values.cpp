#include "conformance/values.h"

#include <cmath>
#include <limits>

#include "kernels/shared/numbers.h"

namespace ropeline::conformance {
namespace {

/// Calls visit(offset of the first element) for each index of all dimensions but the last `inner` ones.
template <class Visit>
void for_each_row(const TensorView& v, int inner, const Visit& visit) {
  if (v.elements() == 0) return;
  std::array<std::int64_t, TensorView::max_rank> at{};
  const int outer = v.rank - inner;
  for (;;) {
    std::int64_t offset = 0;
    for (int i = 0; i < outer; ++i) offset += at[i] * v.strides[i];
    visit(offset);
    int i = outer - 1;
    while (i >= 0 && ++at[i] == v.shape[i]) at[i--] = 0;
    if (i < 0) return;
  }
}

/// Any NaN: quiet or signalling, of either sign, with bits in the low half too.
float any_nan(Random& random) {
  const auto payload = static_cast<std::uint32_t>(random.bits());
  return float_of((payload & 0x807fffffu) | 0x7f800000u | 1u << random.below(23));
}

/// A subnormal number of the dtype, of either sign.
float subnormal(DType type, Random& random) {
  const auto mantissa = static_cast<std::uint32_t>(random.bits());
  const std::uint32_t sign = random.chance(0.5) ? 1 : 0;
  if (type == DType::bf16) return bf16_to_fp32(static_cast<std::uint16_t>(sign << 15 | (mantissa & 0x7f)));
  if (type == DType::fp16) return fp16_to_fp32(static_cast<std::uint16_t>(sign << 15 | (mantissa & 0x3ff)));
  return float_of(sign << 31 | (mantissa & 0x7fffff));
}

float largest(DType type) {
  return type == DType::fp16 ? 65504.0f : type == DType::bf16 ? 0x1.fep127f : 0x1.fffffep127f;
}

/// One element of a row of the given kind; the kinds are the lines of `Values::special`.
float element(int kind, DType type, float magnitude, Random& random) {
  const float sign = random.chance(0.5) ? 1.0f : -1.0f;
  switch (kind) {
    case 0: return random.chance(0.1) ? any_nan(random) : random.normal();
    case 1: return random.chance(0.1) ? sign * std::numeric_limits<float>::infinity() : random.normal();
    case 2: return sign * 0.0f;
    case 3: return subnormal(type, random);
    case 4: return sign * largest(type) * (0.5f + 0.5f * random.unit());
    case 5: return random.normal() * 0x1p-80f;
    case 6: return random.chance(0.3) ? sign * 0.0f : random.chance(0.5) ? subnormal(type, random) : random.normal();
    case 7: return std::ldexp(random.normal(), random.below(40) - 20);
    case 8: return std::ldexp(random.normal(), random.below(190) - 130);  // as wide as squares allow
    case 9: return random.chance(0.05) ? sign * 0x1p50f : std::ldexp(random.normal(), -40 - random.below(60));
    case 10:
      return std::ldexp(sign * (1 + 0x1p-7f * static_cast<float>(random.below(3))),
                        random.pick({-41, -40, 39, 40, 41}));
    default: return random.normal() * magnitude;
  }
}

constexpr int kSpecialKinds = 11, kOrdinary = kSpecialKinds;

std::int64_t edge(std::int64_t rows, Random& random) {
  constexpr std::int64_t low = std::numeric_limits<std::int32_t>::min(),
                         high = std::numeric_limits<std::int32_t>::max();
  return random.pick<std::int64_t>(
      {0, 1, -1, 2, 131071, 1048575, low, high, high - 1, low + 1, rows, rows - 1, rows + 1});
}

std::int64_t wide(Random& random) {
  constexpr std::int64_t two32 = std::int64_t{1} << 32;
  return random.pick<std::int64_t>({two32, two32 + 3, -two32, -two32 + 5, two32 / 2, -two32 / 2 - 1,
                                    std::int64_t{1} << 40, std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()});
}

}  // namespace

void put(const TensorView& view, std::int64_t offset, float x) {
  if (view.dtype == DType::fp32)
    static_cast<float*>(view.data)[offset] = x;
  else
    static_cast<std::uint16_t*>(view.data)[offset] = view.dtype == DType::bf16 ? fp32_to_bf16(x) : fp32_to_fp16(x);
}

void fill(const TensorView& view, Values values, Random& random) {
  const int last = view.rank - 1;
  for_each_row(view, 1, [&](std::int64_t row) {
    const bool special = values == Values::special && random.chance(0.6);
    const int kind = special ? random.below(kSpecialKinds) : kOrdinary;
    const float magnitude = std::exp2(4 * random.unit() - 2);
    for (std::int64_t i = 0; i < view.shape[last]; ++i)
      put(view, row + i * view.strides[last], element(kind, view.dtype, magnitude, random));
  });
}

void fill_positions(const TensorView& view, Positions positions, std::int64_t rows, Random& random) {
  const std::int64_t within = rows ? rows : 4096;
  std::int64_t next = random.below(static_cast<int>(within));
  for_each_row(view, 0, [&](std::int64_t offset) {
    std::int64_t p = next++ % within;
    if (positions == Positions::table)
      p = static_cast<std::int64_t>(random.bits() % static_cast<std::uint64_t>(within));
    if (positions == Positions::far) p = static_cast<std::int32_t>(random.bits());
    if (positions == Positions::edges) p = edge(rows, random);
    if (positions == Positions::wide && random.chance(0.5)) p = wide(random);
    if (view.dtype == DType::int32)
      static_cast<std::int32_t*>(view.data)[offset] = static_cast<std::int32_t>(p);
    else
      static_cast<std::int64_t*>(view.data)[offset] = p;
  });
}

}  // namespace ropeline::conformance
