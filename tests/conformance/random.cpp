#include "conformance/random.h"

#include <cstdio>
#include <cstdlib>
#include <random>

namespace ropeline::conformance {
namespace {

std::uint64_t choose() {
  const char* given = std::getenv("ROPELINE_SEED");
  const std::uint64_t seed = given ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("ROPELINE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace

std::uint64_t run_seed() {
  static const std::uint64_t seed = choose();
  return seed;
}

}  // namespace ropeline::conformance
