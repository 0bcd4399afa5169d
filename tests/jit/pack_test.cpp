#include "jit/pack.h"

#include <sys/stat.h>

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

std::shared_ptr<const Binary> binary(const std::string& key_text) {
  auto made = std::make_shared<Binary>();
  made->key_text = key_text;
  made->compiler = "13.0.88";
  made->image = "image of " + key_text;
  return made;
}

std::string refusal(const std::string& path) try {
  Pack pack(path);
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.stage(), Stage::cache);
  return error.sentence();
}

TEST(Pack, HoldsWhatWasPutIn) {
  const TemporaryFolder folder;
  write_pack(folder / "p", {binary("a"), binary("b"), binary("a")});
  const Pack pack(folder / "p");
  for (const char* key : {"a", "b"})
    EXPECT_NE(pack.read(sha256(key))->find(std::string("image of ") + key), std::string::npos);
  EXPECT_FALSE(pack.read(sha256("c")));
}

// An application ships it: for whom the umask lets read, beside files that are nobody's business.
TEST(Pack, IsAFileAsAnyOther) {
  const TemporaryFolder folder;
  write_file(folder / ".writing-1-2-3", "somebody's");
  for (const mode_t mask : {0022, 0077}) {
    const mode_t before = umask(mask);
    write_pack(folder / "p", {binary("a")});
    umask(before);
    struct stat facts;
    ASSERT_EQ(stat((folder / "p").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0666u & ~mask);
  }
  EXPECT_EQ(content_of(folder / ".writing-1-2-3"), "somebody's");
}

TEST(Pack, MayBeEmpty) {
  const TemporaryFolder folder;
  write_pack(folder / "p", {});
  EXPECT_FALSE(Pack(folder / "p").read(sha256("a")));
}

TEST(Pack, ADamagedIndexIsRefused) {
  const TemporaryFolder folder;
  const std::string path = folder / "p";
  write_pack(path, {binary("a"), binary("b")});
  const std::string whole = content_of(path);
  EXPECT_EQ(refusal(folder / "absent"), "pack " + (folder / "absent") + ": No such file or directory");
  write_file(path, "something else, which is long enough");
  EXPECT_EQ(refusal(path), "pack " + path + ": is not a pack of this format");
  write_file(path, whole.substr(0, 40));
  EXPECT_EQ(refusal(path), "pack " + path + ": is truncated");
  std::string flipped = whole;
  flipped[30] ^= 1;
  write_file(path, flipped);
  EXPECT_EQ(refusal(path), "pack " + path + ": has a damaged index");
  flipped = whole;
  flipped[22] = 1;  // the count's seventh byte
  write_file(path, flipped);
  EXPECT_NE(refusal(path).find("claims"), std::string::npos);
}

TEST(Pack, NothingChangesWhenAPackIsRefused) {
  Config config = test_config();
  config.cache_folder = "";
  configure(config);
  config.cache_folder = "/elsewhere";
  config.packs = {"/nowhere/p"};
  EXPECT_THROW(configure(config), Error);
  EXPECT_EQ(cache_status().folder, "");
}

TEST(Pack, ServesAProgramWithoutCompiler) {
  const TemporaryFolder folder;
  configure(test_config());
  ROPELINE_NEEDS_COMPILER();
  write_pack(folder / "p",
             {build(small_program(1), for_sm_90()).binary, build(small_program(1), {.architecture = "sm_80"}).binary});
  Config config = test_config();
  config.packs = {folder / "p"};
  config.compile = false;
  configure(config);
  for (const char* architecture : {"sm_90", "sm_80"}) {
    const Build found = build(small_program(1), {.architecture = architecture});
    EXPECT_EQ(found.origin, Origin::pack);
    EXPECT_EQ(found.path, folder / "p");
  }
  EXPECT_THROW(build(small_program(2), for_sm_90()), Error);
}

TEST(Pack, ADamagedEntryIsAMiss) {
  const TemporaryFolder folder;
  configure(test_config());
  ROPELINE_NEEDS_COMPILER();
  write_pack(folder / "p", {build(small_program(1), for_sm_90()).binary});
  std::string damaged = content_of(folder / "p");
  damaged[damaged.size() - 100] ^= 1;
  write_file(folder / "p", damaged);
  Config config = test_config();
  config.packs = {folder / "p"};
  configure(config);
  EXPECT_EQ(build(small_program(1), for_sm_90()).origin, Origin::compiled);
  EXPECT_EQ(statistics().bad_entries, 1u);
}

}  // namespace
}  // namespace ropeline::jit
