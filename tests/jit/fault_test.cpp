// Kills in the middle of a publication, damaged entries, forks.

#include <csignal>

#include "tests/jit/fault_setting.h"

namespace ropeline::jit {
namespace {

class KillAt : public Faults, public testing::WithParamInterface<const char*> {};

TEST_P(KillAt, LeavesNothingThatHurts) {
  const std::string step = GetParam();
  const Outcome killed = probe("build", cache(), {{"ROPELINE_KILL_AT", step}});
  EXPECT_EQ(killed.signal, SIGKILL) << killed.out;
  const bool published = step == "renamed";
  EXPECT_EQ(files_in(cache(), true).size(), published ? 1u : 0u);
  const Outcome next = probe("build", cache());
  expect_right(next, published ? "cache" : "compiled");
  EXPECT_TRUE(next.says("bad=0")) << next.out;
  EXPECT_TRUE(files_in(cache(), false).empty()) << files_in(cache(), false)[0];
  expect_right(probe("build", cache()), "cache");
}

INSTANTIATE_TEST_SUITE_P(Faults, KillAt, testing::Values("created", "half-written", "written", "flushed", "renamed"));

class Damage : public Faults, public testing::WithParamInterface<const char*> {
 protected:
  std::string damaged(std::string bytes) {
    const std::string how = GetParam();
    if (how == "empty") return {};
    if (how == "truncated") return bytes.substr(0, bytes.size() - 1);
    if (how == "flipped") return bytes[bytes.size() / 2] ^= 4, bytes;
    if (how == "foreign") return content_of("/proc/self/exe").substr(0, 100000);
    const Build other = build(small_program(2), {.architecture = "sm_80"});  // "another"
    return content_of(other.path);
  }
};

TEST_P(Damage, IsRepaired) {
  expect_right(probe("build", cache()), "compiled");
  const std::string entry = files_in(cache(), true).at(0), whole = content_of(entry);
  Config config = test_config();
  config.cache_folder = folder / "other";
  configure(config);
  write_file(entry, damaged(whole));
  const Outcome next = probe("build", cache());
  expect_right(next, "compiled");
  EXPECT_TRUE(next.says("bad=2 ")) << next.out;
  EXPECT_EQ(content_of(entry), whole);
}

INSTANTIATE_TEST_SUITE_P(Faults, Damage, testing::Values("empty", "truncated", "flipped", "foreign", "another"));

TEST_F(Faults, AWarmProcessNeverOpensTheCompiler) {
  EXPECT_TRUE(probe("build", cache()).says("nvrtc=1"));
  const Outcome warm = probe("build", cache(), {{"ROPELINE_NVRTC", "/nowhere"}});
  expect_right(warm, "cache");
  EXPECT_TRUE(warm.says("nvrtc=0")) << warm.out;
}

TEST_F(Faults, AChildWorksOnAfterAFork) {
  const Outcome outcome = probe("fork", cache());
  EXPECT_EQ(outcome.exit, 0) << outcome.out;
  EXPECT_TRUE(outcome.says("child memory " + right + " compiled")) << outcome.out;
  EXPECT_TRUE(outcome.says("parent compiled")) << outcome.out;
}

TEST_F(Faults, AChildWorksOnAfterAForkInTheMiddleOfCompiles) {
  const Outcome outcome = probe("fork-in-compile", cache());
  EXPECT_EQ(outcome.exit, 0) << outcome.out << " signal " << outcome.signal;
  EXPECT_TRUE(outcome.says("failed=0")) << outcome.out;
}

}  // namespace
}  // namespace ropeline::jit
