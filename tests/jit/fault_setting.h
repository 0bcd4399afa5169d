#pragma once

#include "tests/jit/process.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {

/// Tests in which real processes meet real faults. The right result is that of a process with an empty cache.
class Faults : public testing::Test {
 protected:
  void SetUp() override {
    configure(test_config());
    ROPELINE_NEEDS_COMPILER();
    static const std::string expected = digest_of(*build(small_program(1), for_sm_90()).binary);
    right = expected;
  }

  /// The process ended well, with the right binary, had in that way.
  void expect_right(const Outcome& outcome, const std::string& origin) const {
    EXPECT_EQ(outcome.exit, 0) << outcome.out << " signal " << outcome.signal;
    EXPECT_TRUE(outcome.says(origin + " " + right)) << outcome.out;
  }

  std::string cache() const { return folder / "cache"; }

  TemporaryFolder folder;
  std::string right;
};

}  // namespace ropeline::jit
