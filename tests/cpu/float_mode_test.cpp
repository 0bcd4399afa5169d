#include "float_mode.h"

#include <gtest/gtest.h>

#include <cfenv>

namespace ropeline::cpu {
namespace {

#if defined(__x86_64__)
constexpr FloatWord kFlushToZero = 0x8040;
#else
constexpr FloatWord kFlushToZero = 1u << 24;
#endif

TEST(FloatMode, ReplacesTheCallersModeAndGivesItBack) {
  std::fesetround(FE_UPWARD);
  write_float_word(read_float_word() | kFlushToZero);
  const FloatWord mine = read_float_word() & kControlBits;
  {
    const FloatMode mode;
    EXPECT_EQ(read_float_word() & kControlBits, kContractBits);
    volatile float tiny = 1e-40f;
    EXPECT_GT(tiny * 0.5f, 0.0f) << "subnormals are kept";
  }
  EXPECT_EQ(read_float_word() & kControlBits, mine);
  write_float_word(read_float_word() & ~kFlushToZero);
  std::fesetround(FE_TONEAREST);
}

}  // namespace
}  // namespace ropeline::cpu
