#pragma once

#include <algorithm>
#include <chrono>

namespace ropeline::tools {

/// The shortest of several runs, in microseconds. Short work is repeated within a run so that the clock can see it; the
/// shortest run is the one that the machine disturbed least.
template <class Work>
double microseconds(const Work& work, int runs = 5, double at_least = 500) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int repeats) {
    const auto start = Clock::now();
    for (int i = 0; i < repeats; ++i) work();
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / repeats;
  };
  const double first = time(1);  // also warms caches and pages
  const int repeats = static_cast<int>(std::clamp(at_least / std::max(first, 0.01), 1.0, 10000.0));
  double best = time(repeats);
  for (int i = 1; i < runs; ++i) best = std::min(best, time(repeats));
  return best;
}

}  // namespace ropeline::tools
