// That the list of cases holds what other kernels got wrong, so that the emulator runs it and every architecture's
// compiler sees it.

#include "emulator/cases.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace ropeline::emulator {
namespace {

using kernel::Variant;

int rotary_lanes(const Variant& v) { return v.rotary_dim / 2 / v.form.run; }

bool one_of_the_cases(bool (*is)(const Variant&)) {
  return std::ranges::any_of(cases(), [&](const Case& each) { return is(each.variant); });
}

// A mask of (1u << lanes) - 1 is undefined there.
TEST(EmulatorCases, HoldThirtyTwoRotaryLanes) {
  EXPECT_TRUE(one_of_the_cases([](const Variant& v) {
    return !v.interleaved && rotary_lanes(v) == kernel::kWarp && kernel::lanes_of_head(v) == kernel::kWarp;
  }));
}

// Lanes without a rotation beside lanes with one, for several heads in a warp.
TEST(EmulatorCases, HoldNinetySixOfOneHundredAndTwentyEightWithSeveralHeadsInAWarp) {
  EXPECT_TRUE(one_of_the_cases([](const Variant& v) {
    return !v.interleaved && v.head_dim == 128 && v.rotary_dim == 96 && v.q.rope.present && v.form.access > 1 &&
           2 * kernel::lanes_of_head(v) <= kernel::kWarp;
  }));
}

}  // namespace
}  // namespace ropeline::emulator
