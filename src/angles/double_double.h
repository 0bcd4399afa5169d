#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

// A number as the unevaluated sum of two doubles: about 106 bits. Built from IEEE + - * / and fma alone, no other
// function of the C library, so that every host computes the same bits.
// Sums and products: Knuth, Dekker; the algorithms as in Hida, Li and Bailey 2001.

namespace ropeline::angles {

struct DoubleDouble {
  double hi = 0, lo = 0;

  constexpr DoubleDouble() = default;
  constexpr DoubleDouble(double x) : hi(x) {}
  constexpr DoubleDouble(int x) : hi(x) {}
  constexpr DoubleDouble(double high, double low) : hi(high), lo(low) {}
};

inline constexpr DoubleDouble kTwoPi{0x1.921fb54442d18p+2, 0x1.1a62633145c07p-52};
inline constexpr DoubleDouble kInverseTwoPi{0x1.45f306dc9c883p-3, -0x1.6b01ec5417056p-57};
inline constexpr DoubleDouble kLn2{0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

/// a + b exactly, for |a| >= |b|.
inline DoubleDouble quick_two_sum(double a, double b) {
  const double sum = a + b;
  return {sum, b - (sum - a)};
}

/// a + b exactly.
inline DoubleDouble two_sum(double a, double b) {
  const double sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

/// a * b exactly.
inline DoubleDouble two_product(double a, double b) {
  const double product = a * b;
  return {product, std::fma(a, b, -product)};
}

inline DoubleDouble operator-(DoubleDouble a) { return {-a.hi, -a.lo}; }

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble high = two_sum(a.hi, b.hi), low = two_sum(a.lo, b.lo);
  const DoubleDouble sum = quick_two_sum(high.hi, high.lo + low.hi);
  return quick_two_sum(sum.hi, sum.lo + low.lo);
}

inline DoubleDouble operator-(DoubleDouble a, DoubleDouble b) { return a + -b; }

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble product = two_product(a.hi, b.hi);
  return quick_two_sum(product.hi, product.lo + std::fma(a.hi, b.lo, a.lo * b.hi));
}

inline DoubleDouble operator/(DoubleDouble a, DoubleDouble b) {
  const double first = a.hi / b.hi;
  const DoubleDouble rest = a - b * first;
  const double second = rest.hi / b.hi;
  const double third = (rest - b * second).hi / b.hi;
  return quick_two_sum(first, second) + third;
}

inline bool operator<(DoubleDouble a, DoubleDouble b) { return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo); }

/// 2^exponent, exponent in the normal range of double.
inline double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

/// e^x for x <= 700; 0 below -700. The Taylor series on half a binary octave: 28 terms reach 2^-110.
/// Several at once: each waits long for its last step, and the processor works on the others meanwhile.
template <std::size_t N>
std::array<DoubleDouble, N> exp(const std::array<DoubleDouble, N>& x) {
  std::array<DoubleDouble, N> rest, sum;
  std::array<double, N> scale;
  for (std::size_t i = 0; i < N; ++i) {
    const DoubleDouble bounded = x[i].hi < -700 ? 0 : x[i];
    const double nearest = bounded.hi * 0x1.71547652b82fep+0 + 0x1.8p52;  // 1.5 * 2^52 more rounds to a whole number
    const double octaves = nearest - 0x1.8p52;
    rest[i] = bounded - kLn2 * octaves;
    scale[i] = x[i].hi < -700 ? 0 : power_of_two(static_cast<int>(octaves));
    sum[i] = 1;
  }
  for (int n = 28; n > 0; --n)
    for (std::size_t i = 0; i < N; ++i) sum[i] = sum[i] * rest[i] / n + 1;
  for (std::size_t i = 0; i < N; ++i) sum[i] = {sum[i].hi * scale[i], sum[i].lo * scale[i]};
  return sum;
}

inline DoubleDouble exp(DoubleDouble x) { return exp(std::array{x})[0]; }

/// ln x for a positive normal x. 2 artanh((m - 1) / (m + 1)) for the mantissa m within a factor sqrt(2) of 1.
inline DoubleDouble log(DoubleDouble x) {
  const auto bits = std::bit_cast<std::uint64_t>(x.hi);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  if ((bits & 0xfffffffffffff) > 0x6a09e667f3bcc) ++exponent;  // mantissa above sqrt(2)
  const double half = power_of_two(-exponent / 2), rest = power_of_two(-exponent - -exponent / 2);
  const DoubleDouble m{x.hi * half * rest, x.lo * half * rest};
  const DoubleDouble s = (m - 1) / (m + 1), square = s * s;
  DoubleDouble sum = 0;
  for (int n = 47; n > 0; n -= 2) sum = sum * square + DoubleDouble(1) / n;
  return s * sum * 2 + kLn2 * exponent;
}

/// The nearest fp32. Going through a double would round twice: its last bit is made sticky first.
inline float to_float(DoubleDouble x) {
  auto bits = std::bit_cast<std::uint64_t>(x.hi);
  if (x.lo != 0 && (bits & 1) == 0) bits += (x.lo > 0) == (x.hi > 0) ? 1 : -1;
  return static_cast<float>(std::bit_cast<double>(bits));
}

}  // namespace ropeline::angles
