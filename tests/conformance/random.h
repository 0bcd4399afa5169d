#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace ropeline::conformance {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine for the same seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// 0 to n - 1.
  int below(int n) { return static_cast<int>(bits() % static_cast<std::uint64_t>(n)); }

  bool chance(double p) { return unit() < p; }

  /// [0, 1), 24 bits.
  float unit() { return static_cast<float>(bits() >> 40) * 0x1p-24f; }

  /// About a standard normal number: the sum of twelve uniform ones.
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += unit();
    return sum;
  }

  template <class T>
  T pick(std::initializer_list<T> list) {
    return list.begin()[below(static_cast<int>(list.size()))];
  }

  template <class T>
  const T& pick(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(below(static_cast<int>(list.size())))];
  }

 private:
  std::uint64_t state_;
};

/// The seed of this run: ROPELINE_SEED when it is set, else a new one. Printed once, so that any run can be repeated.
std::uint64_t run_seed();

}  // namespace ropeline::conformance
