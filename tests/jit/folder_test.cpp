#include "jit/folder.h"

#include <sys/stat.h>

#include "jit/publish.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

TEST(Folder, IsMadeWithItsParentsForUsAlone) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base / "a/b/c/");
  EXPECT_TRUE(folder.status().writable) << folder.status().reason;
  struct stat facts;
  ASSERT_EQ(stat((base / "a/b/c").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700u);
}

TEST(Folder, OthersMustNotWrite) {
  const TemporaryFolder base;
  for (mode_t mode : {0777, 0770, 0702}) {
    chmod(base.path().c_str(), mode);
    const CacheStatus status = Folder::open_private(base.path()).status();
    EXPECT_FALSE(status.readable || status.writable);
    EXPECT_NE(status.reason.find("is writable by others"), std::string::npos) << status.reason;
  }
}

TEST(Folder, LinksAreRefused) {
  const TemporaryFolder base;
  fs::create_directory(base / "real");
  fs::create_directory_symlink(base / "real", base / "link");
  EXPECT_EQ(Folder::open_private(base / "link").status().reason, "is a link");
  EXPECT_EQ(Folder::open_private(base / "link/").status().reason, "is a link");
  EXPECT_TRUE(Folder::open_read_only(base / "link").status().readable);
}

TEST(Folder, AFileIsNoFolder) {
  const TemporaryFolder base;
  write_file(base / "file", "x");
  EXPECT_EQ(Folder::open_private(base / "file").status().reason, "cannot be opened: Not a directory");
}

TEST(Folder, FilesThatOthersCouldHaveWrittenAreNotRead) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base.path());
  write_file(base / "good", "content");
  write_file(base / "bad", "content");
  chmod((base / "good").c_str(), 0644);
  chmod((base / "bad").c_str(), 0666);
  fs::create_symlink(base / "good", base / "link");
  fs::create_directory(base / "folder");
  mkfifo((base / "pipe").c_str(), 0600);
  EXPECT_EQ(folder.read("good").bytes, "content");
  for (const char* name : {"bad", "link", "folder", "pipe"}) {
    EXPECT_FALSE(folder.read(name).bytes) << name;
    EXPECT_NE(folder.read(name).refusal, "") << name;
  }
  EXPECT_EQ(folder.read("bad").refusal, "is writable by others (mode 0666)");
  EXPECT_FALSE(folder.read("absent").bytes);
  EXPECT_EQ(folder.read("absent").refusal, "");
}

TEST(Folder, StaysTheOneThatWasChecked) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base / "cache");
  ASSERT_EQ(publish(folder.handle(), "x", "ours", 0600), "");
  fs::rename(base / "cache", base / "moved");
  fs::create_directory(base / "cache");
  write_file(base / "cache/x", "theirs");
  EXPECT_EQ(folder.read("x").bytes, "ours");
}

TEST(Folder, WhoMayLookIntoItMayReadItsEntries) {
  const TemporaryFolder base;
  const auto mode_in = [&](mode_t folder) {
    chmod(base.path().c_str(), folder);
    return Folder::open_private(base.path()).mode_of_entries();
  };
  EXPECT_EQ(mode_in(0700), 0600u);
  EXPECT_EQ(mode_in(0711), 0600u);
  EXPECT_EQ(mode_in(0750), 0640u);
  EXPECT_EQ(mode_in(0755), 0644u);
}

TEST(Publish, ReplacesAndLeavesNothingElse) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base.path());
  EXPECT_EQ(publish(folder.handle(), "x", "first", 0600), "");
  EXPECT_EQ(publish(folder.handle(), "x", "second", 0600), "");
  EXPECT_EQ(folder.read("x").bytes, "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(base.path()), {}), 1);
}

TEST(Publish, SweepsWhatTheDeadLeft) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base.path());
  write_file(base / ".writing-1-0-0", "half");
  write_file(base / ".writing-notes", "somebody's");
  EXPECT_EQ(publish(folder.handle(), "x", "whole", 0600), "");
  EXPECT_TRUE(fs::exists(base / ".writing-1-0-0"));  // of a folder that need not be ours
  sweep(folder.handle());
  EXPECT_TRUE(fs::exists(base / ".writing-notes"));
  EXPECT_FALSE(fs::exists(base / ".writing-1-0-0"));
}

TEST(ProcessLock, WaitsNoLongerThanItIsTold) {
  const TemporaryFolder base;
  const Folder folder = Folder::open_private(base.path());
  using State = ProcessLock::State;
  const ProcessLock first(folder, "abcd", std::chrono::seconds(1));
  EXPECT_EQ(first.state(), State::held);
  EXPECT_EQ(ProcessLock(folder, "abff", std::chrono::milliseconds(20)).state(), State::timed_out);
  EXPECT_EQ(ProcessLock(folder, "0000", std::chrono::milliseconds(20)).state(), State::held);
  EXPECT_EQ(ProcessLock(Folder::absent("none"), "abcd", std::chrono::seconds(1)).state(), State::impossible);
}

}  // namespace
}  // namespace ropeline::jit
