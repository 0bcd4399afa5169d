#pragma once

#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace ropeline::conformance {

/// Puts the control bits of the floating-point unit (rounding, flush to zero, denormals are zero) into a state for a
/// scope, as a host may have done before it calls us.
class FloatingMode {
 public:
  explicit FloatingMode(std::uint64_t control) : before_(raw()) { set((before_ & ~kControl) | control); }
  ~FloatingMode() { set(before_); }
  FloatingMode(const FloatingMode&) = delete;
  FloatingMode& operator=(const FloatingMode&) = delete;

  static std::uint64_t current() { return raw() & kControl; }

 private:
#if defined(__x86_64__)
  static constexpr std::uint64_t kControl = 0x8000 | 0x6000 | 0x0040;  // FTZ, rounding, DAZ of MXCSR
  static std::uint64_t raw() { return _mm_getcsr(); }
  static void set(std::uint64_t bits) { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
  static constexpr std::uint64_t kControl = 0x7ull << 22;  // FZ and rounding of FPCR
  static std::uint64_t raw() {
    std::uint64_t bits;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
  static void set(std::uint64_t bits) { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#endif

  std::uint64_t before_;
};

/// Flush-to-zero, denormals-are-zero, both, and the three other rounding directions.
inline std::vector<std::uint64_t> floating_modes() {
#if defined(__x86_64__)
  return {0x8000, 0x0040, 0x8040, 0x2000, 0x4000, 0x6000, 0xe040};
#elif defined(__aarch64__)
  return {1ull << 24, 1ull << 22, 2ull << 22, 3ull << 22, 7ull << 22};
#endif
}

}  // namespace ropeline::conformance
