#pragma once

#include <array>
#include <bit>
#include <cstdint>

// An fp32 number of radians as a fraction of a turn, exact to 2^-104 of a turn for every fp32 number: the 24-bit
// mantissa times the 128 bits of 1/2pi that matter at its exponent (Payne and Hanek 1983).

namespace ropeline::angles {

/// |a| / 2pi modulo 1: `turns` / 2^64 + `rest` / 2^128, less than 2^-104 below the truth.
struct Fraction {
  std::uint64_t turns, rest;
};

/// 64 binary places of 1/2pi from place `first` on (place 1 weighs a half; places below 1 are zeros). -191 to 193.
inline std::uint64_t places_of_inverse_two_pi(int first) {
  constexpr std::array<std::uint64_t, 8> places = {
      0, 0, 0, 0x28be60db9391054a, 0x7f09d5f47d4d3770, 0x36d8a5664f10e410, 0x7f9458eaf7aef158, 0};
  const int start = first + 191, word = start / 64, shift = start % 64;
  return shift == 0 ? places[word] : places[word] << shift | places[word + 1] >> (64 - shift);
}

/// For finite a.
inline Fraction fraction_of_turn(float a) {
  const auto bits = std::bit_cast<std::uint32_t>(a);
  const int biased = static_cast<int>(bits >> 23 & 0xff);
  const std::uint64_t mantissa = (bits & 0x7fffff) | (biased ? 0x800000 : 0);
  const int exponent = (biased ? biased : 1) - 150;  // |a| = mantissa * 2^exponent
  const std::uint64_t high = places_of_inverse_two_pi(exponent + 1), low = places_of_inverse_two_pi(exponent + 65);
  const std::uint64_t bottom = mantissa * (low & 0xffffffff);
  const std::uint64_t middle = mantissa * (low >> 32) + (bottom >> 32);
  return {mantissa * high + (middle >> 32), middle << 32 | (bottom & 0xffffffff)};
}

/// floor(frac(|a| / 2pi) * 2^32): the phase of sin_cos.
inline std::uint32_t phase_of_magnitude(float a) { return static_cast<std::uint32_t>(fraction_of_turn(a).turns >> 32); }

/// round(a / 2pi * 2^64) mod 2^64.
inline std::uint64_t turns_of_radians(float a) {
  const Fraction fraction = fraction_of_turn(a);
  const std::uint64_t turns = fraction.turns + (fraction.rest >> 63);
  return a < 0 ? -turns : turns;
}

}  // namespace ropeline::angles
