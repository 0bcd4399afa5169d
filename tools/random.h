#pragma once

#include <cstdint>

#include "tools/tensor.h"

namespace ropeline::tools {

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers from a seed on every host.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits();
  /// 0 to n - 1.
  int below(int n) { return static_cast<int>(bits() % static_cast<std::uint64_t>(n)); }
  /// In [-1, 1), a multiple of 2^-23.
  float unit();

  template <class T, std::size_t N>
  const T& one_of(const T (&choices)[N]) {
    return choices[below(static_cast<int>(N))];
  }

 private:
  std::uint64_t state_;
};

/// A floating tensor of values in [centre - spread, centre + spread), rounded to its dtype.
Tensor random_tensor(Random& random, DType dtype, const std::vector<std::int64_t>& shape, float spread,
                     float centre = 0);

}  // namespace ropeline::tools
