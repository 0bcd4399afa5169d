#pragma once

// The floating-point mode of the contract: round to nearest even, subnormals kept, no traps (docs/numerics.md).

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace ropeline {

#if defined(__x86_64__)
using FloatWord = std::uint32_t;
inline constexpr FloatWord kControlBits = 0xffc0;   // FTZ, rounding, exception masks, DAZ; the rest are sticky flags
inline constexpr FloatWord kContractBits = 0x1f80;  // all exceptions masked, everything else 0
inline FloatWord read_float_word() { return _mm_getcsr(); }
inline void write_float_word(FloatWord word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
using FloatWord = std::uint64_t;
inline constexpr FloatWord kControlBits = 0x03c89f00;  // rounding, FZ, FZ16, DN, trap enables
inline constexpr FloatWord kContractBits = 0;
inline FloatWord read_float_word() {
  FloatWord word;
  __asm__ volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
inline void write_float_word(FloatWord word) { __asm__ volatile("msr fpcr, %0" : : "r"(word) : "memory"); }
#else
using FloatWord = int;
inline constexpr FloatWord kControlBits = 0, kContractBits = 0;
inline FloatWord read_float_word() { return 0; }
inline void write_float_word(FloatWord) {}
#endif

/// Holds the contract's mode on this thread and gives the caller's back. Writing the register drains the pipeline, so
/// it is written only when it differs.
class FloatMode {
 public:
  FloatMode() : saved_(read_float_word()), differs_((saved_ & kControlBits) != kContractBits) {
    if (differs_) write_float_word((saved_ & ~kControlBits) | kContractBits);
  }
  ~FloatMode() {
    if (differs_) write_float_word(saved_);
  }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  FloatWord saved_;
  bool differs_;
};

}  // namespace ropeline
