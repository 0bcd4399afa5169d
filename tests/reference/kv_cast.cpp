#include "reference/kv_cast.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "reference/default_mode.h"
#include "reference/element.h"

namespace ropeline::reference {
namespace {

constexpr int kLargestCode = 0x7e;

/// The numbers of codes 0 to 0x7e, in ascending order.
const std::array<double, kLargestCode + 1>& magnitudes() {
  static const auto all = [] {
    std::array<double, kLargestCode + 1> values;
    for (int code = 0; code <= kLargestCode; ++code) values[code] = e4m3_value(static_cast<std::uint8_t>(code));
    return values;
  }();
  return all;
}

int nearest_code(double magnitude) {
  const auto& values = magnitudes();
  if (magnitude >= values[kLargestCode]) return kLargestCode;
  const auto above = std::upper_bound(values.begin(), values.end(), magnitude);
  const int code = static_cast<int>(above - values.begin()) - 1;  // the largest that is not above
  const double down = magnitude - values[code], up = values[code + 1] - magnitude;
  return up < down || (up == down && code % 2 == 1) ? code + 1 : code;
}

/// The cache row of a token, or -1. A row beyond 64 bits is in no cache.
std::int64_t row_of(const KvCastArgs& args, std::int64_t token) {
  const std::int64_t loc = load_integer(args.loc, token * args.loc.strides[0]);
  std::int64_t row = 0;
  if (loc < 0 || __builtin_mul_overflow(loc, args.mult, &row) || __builtin_add_overflow(row, args.offset, &row))
    return -1;
  return row < args.k_cache.shape[0] ? row : -1;
}

struct Stream {
  const TensorView &in, &cache, &scale;
};

void cast(const Stream& stream, std::int64_t token, std::int64_t row) {
  // Double holds the quotient's and the product's bits that decide the rounding to fp32.
  const auto inverse = static_cast<float>(1.0 / static_cast<double>(load(stream.scale, 0)));
  for (std::int64_t h = 0; h < stream.in.shape[1]; ++h)
    for (std::int64_t i = 0; i < stream.in.shape[2]; ++i) {
      const double x = load(stream.in, token * stream.in.strides[0] + h * stream.in.strides[1] + i);
      const auto y = static_cast<float>(x * static_cast<double>(inverse));
      auto* out = static_cast<std::uint8_t*>(stream.cache.data);
      out[row * stream.cache.strides[0] + h * stream.cache.strides[1] + i] = e4m3_code(y);
    }
}

}  // namespace

double e4m3_value(std::uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  if ((code & 0x7f) == 0x7f) return std::numeric_limits<double>::quiet_NaN();
  const double magnitude = exponent ? std::ldexp(8 + mantissa, exponent - 10) : std::ldexp(mantissa, -9);
  return code & 0x80 ? -magnitude : magnitude;
}

std::uint8_t e4m3_code(float x) {
  if (std::isnan(x)) return 0x7f;
  return static_cast<std::uint8_t>(nearest_code(std::abs(static_cast<double>(x))) | (std::signbit(x) ? 0x80 : 0));
}

void run(const KvCastSpec&, const KvCastArgs& args) {
  const DefaultMode mode;
  for (std::int64_t token = 0; token < args.k.shape[0]; ++token) {
    const std::int64_t row = row_of(args, token);
    if (row < 0) continue;
    cast({args.k, args.k_cache, args.k_scale}, token, row);
    cast({args.v, args.v_cache, args.v_scale}, token, row);
  }
}

}  // namespace ropeline::reference
