// `ropeline cache`: what it lists, finds damaged, explains and removes.

#include <sys/stat.h>

#include <chrono>

#include "jit/entry.h"
#include "program/program.h"
#include "tests/jit/setting.h"

namespace ropeline::tools {
namespace {

namespace fs = std::filesystem;

/// A cache folder with Gemma 3 270M's layer for sm_80 and sm_90.
class Cache : public Program {
 protected:
  void SetUp() override {
    jit::configure(jit::test_config());
    ROPELINE_NEEDS_COMPILER();
    nvrtc_ = jit::compiler_status().path;
    static const jit::TemporaryFolder warm;
    static const Outcome outcome = program("warm --model gemma3-270m --arch sm_80,sm_90",
                                           "ROPELINE_NVRTC=" + nvrtc_ + " ROPELINE_CACHE_DIR=" + warm.path());
    ASSERT_EQ(outcome.code, 0) << outcome.text;
    fs::copy(warm.path(), path("cache"));
    fs::permissions(path("cache"), fs::perms::owner_all);
  }

  Outcome run(const std::string& arguments, const std::string& environment = "ROPELINE_NVRTC=/nowhere") const {
    return program(arguments, environment + " ROPELINE_CACHE_DIR=" + path("cache"));
  }

  /// The entry for that architecture.
  std::string entry(const std::string& architecture) const {
    for (const auto& file : fs::directory_iterator(path("cache")))
      if (holds(jit::content_of(file.path()), "flag -arch=" + architecture + "\n")) return file.path();
    ADD_FAILURE() << "no entry for " << architecture;
    return {};
  }

  static std::string name_of(const std::string& path) { return fs::path(path).filename(); }

  void damage(const std::string& entry) const {
    std::string bytes = jit::content_of(entry);
    bytes[bytes.size() - 1000] ^= 1;
    jit::write_file(entry, bytes);
  }

  std::string nvrtc_;
};

TEST_F(Cache, ASizeBelowNothingIsRefused) {
  const Outcome refused = run("cache prune --size -5");
  EXPECT_EQ(refused.code, 2) << refused.text;
  EXPECT_TRUE(holds(refused.text, "--size") && holds(refused.text, "-5")) << refused.text;
}

TEST_F(Cache, ExplainLooksIntoReadOnlyFoldersToo) {
  fs::copy(path("cache"), path("shared"));
  damage(path("shared") + "/" + name_of(entry("sm_90")));
  const Outcome explained = program(
      "cache explain --model gemma3-270m --arch sm_90",
      "ROPELINE_NVRTC=/nowhere ROPELINE_CACHE_DIR=" + path("none") + " ROPELINE_CACHE_READ_ONLY=" + path("shared"));
  EXPECT_TRUE(holds(explained.text, name_of(entry("sm_90")) + ": digest does not match")) << explained.text;
}

TEST_F(Cache, AVersionIsThatOfEitherCompiler) {
  jit::Binary twin;
  twin.key_text = "of nvcc";
  twin.compiler = "13.0.88 nvcc";
  const std::string name = jit::hex(jit::sha256(twin.key_text)) + ".rlj";
  jit::write_file(path("cache") + "/" + name, jit::entry_bytes(twin));
  chmod((path("cache") + "/" + name).c_str(), 0600);
  for (const char* version : {"13.0.88", "13.0"})
    EXPECT_TRUE(holds(run(std::string("cache prune --dry-run --compiler ") + version).text, "would go " + name))
        << version;
  EXPECT_FALSE(holds(run("cache prune --dry-run --compiler 13.0.8").text, name));
}

TEST_F(Cache, ListsEntriesAsATable) {
  const Outcome list = run("cache list");
  EXPECT_EQ(list.code, 0) << list.text;
  EXPECT_TRUE(list.text.starts_with("key           program              arch        compiler ")) << list.text;
  for (const char* architecture : {"sm_80", "sm_90"})
    EXPECT_TRUE(holds(list.text, name_of(entry(architecture)).substr(0, 12) + "  qk_norm_rope.cu      " + architecture))
        << list.text;
  EXPECT_TRUE(holds(list.text, "\n2 entries, ") && holds(list.text, " bytes in " + path("cache") + "\n")) << list.text;
  EXPECT_TRUE(
      holds(run("cache list --kernels").text, " registers, 0 bytes of spills: ropeline::kernel::qk_norm_rope<"));
}

TEST_F(Cache, VerifyNamesWhatIsDamaged) {
  EXPECT_EQ(run("cache verify").code, 0);
  const std::string bad = entry("sm_90");
  damage(bad);
  const Outcome verify = run("cache verify");
  EXPECT_EQ(verify.code, 1) << verify.text;
  EXPECT_TRUE(verify.text.starts_with("BAD " + name_of(bad) + ": digest does not match\n2 entries, ")) << verify.text;
  EXPECT_TRUE(holds(verify.text, ": 1 does not verify; it counts as absent, and is compiled again\n")) << verify.text;
  EXPECT_TRUE(holds(run("cache list").text, name_of(bad).substr(0, 12) + "  DAMAGED "));
  const Outcome explain = run("cache explain --model gemma3-270m --arch sm_90");
  EXPECT_TRUE(holds(explain.text, "not found\n  " + name_of(bad) + ": digest does not match\n")) << explain.text;
  EXPECT_EQ(run("warm --model gemma3-270m --arch sm_90", "ROPELINE_NVRTC=" + nvrtc_).code, 0);
  EXPECT_EQ(run("cache verify").code, 0);
}

TEST_F(Cache, VerifiesAndListsAPackToo) {
  ASSERT_EQ(run("warm --model gemma3-270m --arch sm_80,sm_90 --pack " + path("p")).code, 0);
  const Outcome list = run("cache list --pack " + path("p"));
  EXPECT_TRUE(holds(list.text, "2 entries, ") && holds(list.text, " bytes in " + path("p") + "\n")) << list.text;
  EXPECT_EQ(run("cache verify --pack " + path("p")).code, 0);
  damage(path("p"));
  EXPECT_EQ(run("cache verify --pack " + path("p")).code, 1);
  EXPECT_EQ(run("cache list --pack " + path("nowhere")).code, 3);
}

TEST_F(Cache, ExplainSaysWhereAProgramIsFound) {
  const Outcome found = run("cache explain --model gemma3-1b --arch sm_90");
  EXPECT_EQ(found.code, 0);
  EXPECT_TRUE(found.text.starts_with("gemma3-1b bf16 sm_90: found in the cache in ")) << found.text;
  EXPECT_TRUE(holds(found.text, "\n  " + entry("sm_90") + "\n")) << found.text;
}

TEST_F(Cache, ExplainShowsHowTheNearestEntryDiffers) {
  const Outcome other = run("cache explain --model gemma3-270m --arch sm_100");
  EXPECT_EQ(other.code, 0);
  EXPECT_TRUE(holds(other.text, "gemma3-270m bf16 sm_100: not found\n  nearest of 2: ")) << other.text;
  EXPECT_TRUE(holds(other.text, "    wanted only: flag -arch=sm_100\n")) << other.text;
  const Outcome heads = run("cache explain --model gemma3-4b --arch sm_90");
  EXPECT_TRUE(holds(heads.text, "  nearest of 2: " + name_of(entry("sm_90")) + ", which differs by\n")) << heads.text;
  EXPECT_TRUE(holds(heads.text, "      there: ...") && holds(heads.text, ".q={.heads=4,")) << heads.text;
  EXPECT_TRUE(holds(heads.text, ".q={.heads=8,")) << heads.text;
  const Outcome flags = run("cache explain --model gemma3-270m --arch sm_90", "NVRTC_APPEND_FLAGS=-lineinfo");
  EXPECT_TRUE(holds(flags.text, "    wanted only: append 9 -lineinfo\n")) << flags.text;
}

TEST_F(Cache, ExplainOfAnEmptyCacheSaysSo) {
  fs::remove_all(path("cache"));
  const Outcome empty = run("cache explain --model gemma3-270m --arch sm_90");
  EXPECT_EQ(empty.text, "gemma3-270m bf16 sm_90: not found\n  there is no entry to compare with\n");
}

TEST_F(Cache, PruneByAgeLeavesWhatIsYoungAndWhatIsForeign) {
  file("cache/notes.txt", "mine");
  const std::string old = entry("sm_80"), young = entry("sm_90");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(24 * 40));
  const Outcome dry = run("cache prune --age 30d --dry-run");
  EXPECT_TRUE(dry.text.starts_with("would go " + name_of(old) + ": 40 d old\n1 of 2 entries would go, ")) << dry.text;
  EXPECT_TRUE(fs::exists(old));
  const Outcome prune = run("cache prune --age 30d");
  EXPECT_EQ(prune.code, 0);
  EXPECT_TRUE(prune.text.starts_with("removed " + name_of(old) + ": 40 d old\n1 of 2 entries removed, ")) << prune.text;
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(young) && fs::exists(path("cache/notes.txt")));
  EXPECT_TRUE(fs::exists(path("cache/.lock-" + name_of(old).substr(0, 2))));
}

TEST_F(Cache, PruneBySizeTakesTheOldestFirst) {
  const std::string old = entry("sm_90"), young = entry("sm_80");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_TRUE(run("cache prune --size 100M").text.starts_with("0 of 2 entries removed, 0 bytes"));
  const Outcome prune = run("cache prune --size " + std::to_string(fs::file_size(young)));
  EXPECT_TRUE(prune.text.starts_with("removed " + name_of(old))) << prune.text;
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(run("cache prune --size 0").text.starts_with("removed " + name_of(young)));
}

TEST_F(Cache, PruneByCompilerAndOfWhatIsDamaged) {
  EXPECT_TRUE(run("cache prune --compiler 1").text.starts_with("0 of 2 entries removed"));  // not 13 or 12
  damage(entry("sm_80"));
  const Outcome damaged = run("cache prune --damaged");
  EXPECT_TRUE(holds(damaged.text, ": digest does not match\n1 of 2 entries removed")) << damaged.text;
  const std::string major = jit::compiler_status().version;
  EXPECT_TRUE(holds(run("cache prune --compiler " + major).text, ": compiled by " + major + ".")) << major;
}

TEST_F(Cache, AReadOnlyFolderIsListedAndNotPruned) {
  if (geteuid() == 0) {  // root writes anywhere: another user looks at a folder of root's
    const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
    if (program("--version", nobody).code != 0) ROPELINE_NOT_RUN("this user cannot become another one");
    for (const std::string& folder : {path(""), path("cache")}) chmod(folder.c_str(), 0755);
    for (const char* architecture : {"sm_80", "sm_90"}) chmod(entry(architecture).c_str(), 0644);
    const std::string as_nobody = "ROPELINE_CACHE_DIR=" + path("cache") + " " + nobody;
    EXPECT_EQ(program("cache verify", as_nobody).code, 0);
    const Outcome prune = program("cache prune --size 0", as_nobody);
    EXPECT_EQ(prune.code, 3) << prune.text;
    EXPECT_TRUE(holds(prune.text, "KEPT ") && holds(prune.text, ": is read-only: Permission denied\n")) << prune.text;
    EXPECT_TRUE(holds(prune.text, "2 entries could not be removed\n")) << prune.text;
    return;
  }
  chmod(path("cache").c_str(), 0500);
  EXPECT_EQ(run("cache verify").code, 0);
  EXPECT_EQ(run("cache prune --size 0").code, 3);
  chmod(path("cache").c_str(), 0700);
}

// Whoever owns it and whatever the cache folder is.
TEST_F(Cache, AFolderThatIsNamedIsOnlyRead) {
  fs::rename(path("cache"), path("shared"));
  const std::string elsewhere = "ROPELINE_NVRTC=/nowhere ROPELINE_CACHE_DIR=" + path("none");
  // Of root it becomes another user's, which as a cache folder would be refused.
  EXPECT_EQ(chown(path("shared").c_str(), geteuid() == 0 ? 65534 : geteuid(), getegid()), 0);
  chmod(path("shared").c_str(), 0555);
  const Outcome list = program("cache list --folder " + path("shared"), elsewhere);
  EXPECT_EQ(list.code, 0) << list.text;
  EXPECT_TRUE(holds(list.text, "\n2 entries, ") && holds(list.text, " bytes in " + path("shared") + "\n")) << list.text;
  EXPECT_EQ(program("cache verify --folder " + path("shared"), elsewhere).code, 0);
  chmod(path("shared").c_str(), 0777);
  const Outcome open = program("cache verify --folder " + path("shared"), elsewhere);
  EXPECT_EQ(open.code, 3);
  EXPECT_TRUE(holds(open.text, "shared is writable by everybody (mode 0777)\n")) << open.text;
  const Outcome absent = program("cache list --folder " + path("nowhere"), elsewhere);
  EXPECT_EQ(absent.code, 3);
  EXPECT_TRUE(holds(absent.text, "nowhere cannot be opened: No such file or directory\n")) << absent.text;
}

TEST_F(Cache, WithoutAFolderItSaysThatNoneIsNamed) {
  for (const char* command : {"cache list", "cache explain --model gemma3-270m --arch sm_90", "info"}) {
    const Outcome none = program(command, "env -u HOME -u XDG_CACHE_HOME -u ROPELINE_CACHE_DIR");
    EXPECT_TRUE(holds(none.text,
                      " none is named (by ROPELINE_CACHE_DIR, XDG_CACHE_HOME or HOME), so kernels stay in "
                      "memory\n"))
        << none.text;
  }
}

TEST_F(Cache, AFolderThatIsNotTrustedIsNotRead) {
  chmod(path("cache").c_str(), 0777);
  for (const char* command : {"cache list", "cache verify", "cache prune --size 0"}) {
    const Outcome refused = run(command);
    EXPECT_EQ(refused.code, 3);
    EXPECT_TRUE(holds(refused.text, "cache folder: " + path("cache") + " is writable by others (mode 0777)"))
        << refused.text;
  }
  EXPECT_TRUE(
      holds(run("info").text, path("cache") + ", not used: is writable by others (mode 0777); chmod go-w it\n"));
}

}  // namespace
}  // namespace ropeline::tools
