// Folders that are full, read-only, somebody else's, or not there.

#include <sys/stat.h>

#include "tests/jit/fault_setting.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

const std::string kProbe = std::string(ROPELINE_PROBE) + " build; ";

class Folders : public Faults {
 protected:
  /// The probe's outcome in mounts of its own, after `mount` has been run; the folder's files are listed behind it.
  Outcome mounted(const std::string& script) {
    fs::create_directory(cache());
    chmod(cache().c_str(), 0700);
    return run(in_own_mounts(script), {{"ROPELINE_CACHE_DIR", cache()}});
  }

  Outcome nobody(const std::string& cache_folder) {
    chmod(folder.path().c_str(), 0755);
    return run(as_nobody({ROPELINE_PROBE, "build"}), {{"ROPELINE_CACHE_DIR", cache_folder}});
  }
};

#define ROPELINE_NEEDS_MOUNTS() \
  if (in_own_mounts("true").empty()) ROPELINE_NOT_RUN("no mounts of our own on this machine")
#define ROPELINE_NEEDS_NOBODY() \
  if (as_nobody({"true"}).empty()) ROPELINE_NOT_RUN("cannot become user 65534, or it cannot reach the build")

TEST_F(Folders, AFullDisk) {
  ROPELINE_NEEDS_MOUNTS();
  const Outcome outcome =
      mounted("mount -t tmpfs -o size=4k,mode=700 none " + cache() + " && " + kProbe + "ls -A " + cache());
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("published=0 not_published=1")) << outcome.out;
  EXPECT_FALSE(outcome.says(".writing-")) << outcome.out;
  EXPECT_FALSE(outcome.says(".rlj")) << outcome.out;
}

TEST_F(Folders, AFolderWithoutFreeFiles) {
  ROPELINE_NEEDS_MOUNTS();
  const Outcome outcome = mounted("mount -t tmpfs -o nr_inodes=1,mode=700 none " + cache() + " && " + kProbe);
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("not_published=1")) << outcome.out;
}

TEST_F(Folders, AReadOnlyMountServesWhatItHolds) {
  ROPELINE_NEEDS_MOUNTS();
  const Outcome outcome =
      mounted("mount -t tmpfs -o mode=700 none " + cache() + " && mount -o remount,ro " + cache() + " && " + kProbe);
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("writable=0 reason=is read-only: Read-only file system")) << outcome.out;
  const Outcome warm = mounted("mount -t tmpfs -o mode=700 none " + cache() + " && " + kProbe +
                               " mount -o remount,ro " + cache() + " && " + kProbe);
  expect_right(warm, "cache");
}

TEST_F(Folders, ANoexecMountIsAsGoodAsAny) {
  ROPELINE_NEEDS_MOUNTS();
  const Outcome outcome = mounted("mount -t tmpfs -o noexec,mode=700 none " + cache() + " && " + kProbe + kProbe);
  expect_right(outcome, "compiled");
  expect_right(outcome, "cache");
}

TEST_F(Folders, AReadOnlyFolder) {
  ROPELINE_NEEDS_NOBODY();
  fs::create_directory(cache());
  const Outcome outcome = nobody(cache());  // root's, mode 0755
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("writable=0 reason=is read-only: Permission denied")) << outcome.out;
}

TEST_F(Folders, RootsEntriesServeOtherUsers) {
  ROPELINE_NEEDS_NOBODY();
  expect_right(probe("build", cache()), "compiled");
  chmod(cache().c_str(), 0755);
  const Outcome unreadable = nobody(cache());  // written when the folder was for root alone
  expect_right(unreadable, "compiled");
  EXPECT_FALSE(unreadable.says(" bad=0 ")) << unreadable.out;
  fs::remove(files_in(cache(), true).at(0));
  expect_right(probe("build", cache()), "compiled");
  expect_right(nobody(cache()), "cache");
}

TEST_F(Folders, SomebodyElsesFolderIsRefused) {
  ROPELINE_NEEDS_NOBODY();
  fs::create_directory(cache());
  ASSERT_EQ(chown(cache().c_str(), 1234, 1234), 0);
  for (const Outcome& outcome : {nobody(cache()), probe("build", cache())}) {
    expect_right(outcome, "compiled");
    EXPECT_TRUE(outcome.says("belongs to user 1234")) << outcome.out;
  }
  EXPECT_EQ(fs::directory_iterator(cache()), fs::directory_iterator());
}

TEST_F(Folders, AWorldWritableFolderIsRefused) {
  expect_right(probe("build", cache()), "compiled");
  chmod(cache().c_str(), 0777);
  const Outcome outcome = probe("build", cache());
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("is writable by others (mode 0777); chmod go-w it")) << outcome.out;
}

TEST_F(Folders, ALinkIsRefused) {
  fs::create_directory(folder / "real");
  fs::create_directory_symlink(folder / "real", cache());
  const Outcome outcome = probe("build", cache());
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("reason=is a link")) << outcome.out;
  EXPECT_EQ(fs::directory_iterator(folder / "real"), fs::directory_iterator());
}

TEST_F(Folders, NoHome) {
  const Environment none = {{"ROPELINE_CACHE_DIR", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", ""}};
  const Outcome outcome = probe("build", "", none);
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("none is named (by ROPELINE_CACHE_DIR")) << outcome.out;
}

TEST_F(Folders, AHomeThatIsNotThere) {
  ROPELINE_NEEDS_NOBODY();
  const Outcome outcome = run(as_nobody({ROPELINE_PROBE, "build"}),
                              {{"ROPELINE_CACHE_DIR", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", "/nonexistent"}});
  expect_right(outcome, "compiled");
  EXPECT_TRUE(outcome.says("writable=0 reason=cannot be opened: No such file or directory")) << outcome.out;
}

TEST_F(Folders, TheDefaultFolderIsMadeUnderHome) {
  const Environment home = {{"ROPELINE_CACHE_DIR", ""}, {"XDG_CACHE_HOME", ""}, {"HOME", folder.path()}};
  expect_right(probe("build", "", home), "compiled");
  EXPECT_EQ(files_in(folder / ".cache/ropeline", true).size(), 1u);
  const Environment xdg = {{"ROPELINE_CACHE_DIR", ""}, {"XDG_CACHE_HOME", folder / "xdg"}};
  expect_right(probe("build", "", xdg), "compiled");
  EXPECT_EQ(files_in(folder / "xdg/ropeline", true).size(), 1u);
}

TEST_F(Folders, AFolderThatGoesAwayWhileInUse) {
  Config config = test_config();
  config.cache_folder = cache();
  configure(config);
  fs::remove_all(cache());
  EXPECT_EQ(build(small_program(1), for_sm_90()).path, "");
  EXPECT_EQ(statistics().not_published, 1u);
}

}  // namespace
}  // namespace ropeline::jit
