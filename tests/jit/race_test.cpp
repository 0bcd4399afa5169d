// Processes that race for one key on an empty cache.

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "tests/jit/fault_setting.h"

namespace ropeline::jit {
namespace {

class Race : public Faults, public testing::WithParamInterface<int> {};

TEST_P(Race, CompilesOnceAndThenNeverOpensTheCompiler) {
  const auto race = [&](const Environment& environment) {
    std::vector<Process> processes;
    for (int i = 0; i < GetParam(); ++i)
      processes.emplace_back(std::vector<std::string>{ROPELINE_PROBE, "build"}, environment);
    std::vector<Outcome> outcomes;
    for (Process& process : processes) outcomes.push_back(process.wait());
    return outcomes;
  };
  int compiled = 0;
  for (const Outcome& outcome : race({{"ROPELINE_CACHE_DIR", cache()}})) {
    EXPECT_TRUE(outcome.says(right)) << outcome.out;
    compiled += outcome.says("compiled ");
  }
  EXPECT_EQ(compiled, 1);
  for (const Outcome& outcome : race({{"ROPELINE_CACHE_DIR", cache()}, {"ROPELINE_NVRTC", "/nowhere"}})) {
    EXPECT_TRUE(outcome.says("cache " + right)) << outcome.out;
    EXPECT_TRUE(outcome.says("nvrtc=0")) << outcome.out;  // of /proc/self/maps
  }
  EXPECT_EQ(files_in(cache(), true).size(), 1u);
  EXPECT_TRUE(files_in(cache(), false).empty());
}

INSTANTIATE_TEST_SUITE_P(Processes, Race, testing::Values(2, 4, 16));

TEST_F(Faults, AHolderThatNeverEndsIsNotWaitedForForEver) {
  std::filesystem::create_directory(cache());
  const std::string lock = cache() + "/.lock-" + build(small_program(1), for_sm_90()).binary->key.substr(0, 2);
  const int holder = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(holder, LOCK_EX), 0);
  const Outcome outcome = probe("build", cache(), {{"PROBE_LOCK_WAIT_MS", "100"}});
  close(holder);
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("published=1")) << outcome.out;
  EXPECT_TRUE(outcome.says("abandoned=1")) << outcome.out;
}

TEST_F(Faults, TwoProcessesMakeTheSameEntryToTheByte) {
  probe("build", folder / "one");
  probe("build", folder / "other");
  EXPECT_EQ(content_of(files_in(folder / "one", true).at(0)), content_of(files_in(folder / "other", true).at(0)));
}

// A header that the compiler would find in the working directory: of two processes in two folders with one cache, the
// second one would get the first one's binary.
TEST_F(Faults, TheWorkingDirectoryIsNoIncludeFolder) {
  for (const char* name : {"one", "other"}) {
    std::filesystem::create_directory(folder / name);
    write_file((folder / name) + "/setting.h", std::string("#define WIDTH ") + (*(name + 1) == 'n' ? "1" : "2") + "\n");
    const Outcome outcome = run({"sh", "-c", "cd " + (folder / name) + " && exec " ROPELINE_PROBE " include"},
                                {{"ROPELINE_CACHE_DIR", cache()}});
    EXPECT_EQ(outcome.exit, 3) << outcome.out;
    EXPECT_TRUE(outcome.says("error: compile: include.cu for sm_90")) << outcome.out;
  }
  EXPECT_TRUE(files_in(cache(), true).empty());
}

TEST_F(Faults, LockFilesStay) {
  probe("build", cache());
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(cache()), {}); };
  EXPECT_EQ(count(), 2);
  probe("build", cache());
  EXPECT_EQ(count(), 2);
}

}  // namespace
}  // namespace ropeline::jit
