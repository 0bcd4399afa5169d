#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>

/// A GPU's blocks on a CPU, for tests: the threads of a block are fibers that run one after another and meet at
/// shuffles and barriers. What a GPU leaves undefined is an error here.
namespace ropeline::emulator {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// Where the running thread stands.
struct Self {
  Index thread, block, threads, blocks;
};
const Self& self();

/// How a launch runs. Two runs that differ here must give the same memory: a kernel that reads what it never wrote, or
/// that depends on which thread comes first, does not.
struct Conditions {
  std::byte poison{0xa5};  ///< what the stack of a thread holds before it starts
  bool backward = false;   ///< the last thread of a block first
  int estimate_units = 0;  ///< by how many units in the last place rsqrt.approx is off
};

/// What no kernel may do.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Runs the body once for each thread of each block. Throws Fault for a shuffle that not all lanes of a warp reach, or
/// reach at different places, and for a barrier that not all threads reach. Memory is watched by AddressSanitizer,
/// shifts and alignment by UndefinedBehaviorSanitizer.
void launch(Index blocks, Index threads, const Conditions& conditions, const std::function<void()>& body);

/// The value that the lane `from(own lane)` of the warp brings. Never inlined, so that the return address is the place
/// of the call in the kernel.
float exchange_at(unsigned mask, float x, int from, const void* place);
int own_lane();

template <class From>
[[gnu::always_inline]] inline float exchange(unsigned mask, float x, From from) {
  const void* place = nullptr;
#if defined(__x86_64__)
  asm volatile("lea 0(%%rip), %0" : "=r"(place));
#elif defined(__aarch64__)
  asm volatile("adr %0, ." : "=r"(place));
#endif
  return exchange_at(mask, x, from(own_lane()), place);
}

void barrier();

/// One of the values that rsqrt.approx.ftz.f32 may give, as the conditions say.
float rsqrt_approx(float a);

}  // namespace ropeline::emulator
