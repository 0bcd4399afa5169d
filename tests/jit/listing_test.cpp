// What lies in a cache folder: listed, verified, removed.

#include <sys/stat.h>

#include "jit/entry.h"
#include "ropeline/jit_cache.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

Binary binary(const std::string& key_text) {
  Binary made;
  made.key_text = key_text;
  made.compiler = "13.0.88";
  made.image = "image of " + key_text;
  return made;
}

std::string name_of(const std::string& key_text) { return hex(sha256(key_text)) + ".rlj"; }

/// A folder with an entry of "a" and one of "b".
class Listing : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* key : {"a", "b"}) put(name_of(key), entry_bytes(binary(key)));
    Config config = test_config();
    config.cache_folder = folder.path();
    configure(config);
  }

  void put(const std::string& name, const std::string& bytes) const {
    write_file(folder / name, bytes);
    chmod((folder / name).c_str(), 0600);
  }

  const CachedEntry& entry(const std::string& name) {
    entries_ = cached_entries();
    for (const CachedEntry& each : entries_)
      if (each.name == name) return each;
    ADD_FAILURE() << name << " is not listed";
    return entries_.front();
  }

  TemporaryFolder folder;

 private:
  std::vector<CachedEntry> entries_;
};

TEST_F(Listing, HoldsEntriesAndNothingElse) {
  for (const char* foreign : {".lock-ab", ".writing-1-2-3", "notes.txt", "x.rlj"}) put(foreign, "x");
  put(std::string(64, 'G') + ".rlj", "x");
  std::filesystem::create_directory(folder / "folder");
  const std::vector<CachedEntry> entries = cached_entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_LT(entries[0].name, entries[1].name);
  for (const CachedEntry& each : entries) {
    ASSERT_TRUE(each.binary) << each.fault;
    EXPECT_EQ(each.name, each.binary->key + ".rlj");
    EXPECT_EQ(each.binary->image, "image of " + each.binary->key_text);
    EXPECT_EQ(each.bytes, content_of(folder / each.name).size());
    EXPECT_LT(std::chrono::system_clock::now() - each.written, std::chrono::hours(1));
  }
}

TEST_F(Listing, SaysWhatIsWrongWithAnEntry) {
  const std::string name = name_of("a"), bytes = content_of(folder / name);
  std::string flipped = bytes;
  flipped[flipped.size() - 40] ^= 1;
  put(name, flipped);
  EXPECT_EQ(entry(name).fault, "digest does not match");
  EXPECT_FALSE(entry(name).binary);
  put(name, content_of(folder / name_of("b")));
  EXPECT_EQ(entry(name).fault, "holds another key");
  put(name, "short");
  EXPECT_EQ(entry(name).fault, "truncated to 5 bytes");
  put(name, bytes);
  chmod((folder / name).c_str(), 0666);
  EXPECT_EQ(entry(name).fault, "is writable by others (mode 0666)");
  EXPECT_EQ(entry(name).bytes, bytes.size());
}

TEST_F(Listing, EveryFlippedBitOfAnEntryIsFound) {
  const std::string name = name_of("a");
  std::string bytes = content_of(folder / name);
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= 1 << bit % 8;
    const Parsed parsed = parse_entry(bytes);
    EXPECT_TRUE(!parsed.binary || parsed.binary->key_text != "a") << bit;
    EXPECT_TRUE(!parsed.binary || parsed.binary->key + ".rlj" != name) << bit;
    bytes[bit / 8] ^= 1 << bit % 8;
  }
}

TEST_F(Listing, RemovesEntriesAndNothingElse) {
  put(".lock-ab", "");
  const CachedEntry listed = entry(name_of("a"));
  EXPECT_EQ(remove_cached(listed), "");
  EXPECT_FALSE(std::filesystem::exists(folder / name_of("a")));
  EXPECT_EQ(remove_cached(listed), "No such file or directory");
  EXPECT_EQ(remove_cached({.name = ".lock-ab"}), "is not the name of an entry");
  EXPECT_EQ(remove_cached({.name = "../" + name_of("b")}), "is not the name of an entry");
  EXPECT_TRUE(std::filesystem::exists(folder / ".lock-ab"));
  EXPECT_EQ(cached_entries().size(), 1u);
}

// Between the list and the removal another process has compiled it again.
TEST_F(Listing, WhatWasReplacedSinceStays) {
  const std::string name = name_of("a"), whole = content_of(folder / name);
  put(name, "short");
  const CachedEntry damaged = entry(name);
  EXPECT_TRUE(damaged.damaged);
  put("new", whole);
  std::filesystem::rename(folder / "new", folder / name);
  EXPECT_EQ(remove_cached(damaged), "has been replaced in the meantime");
  EXPECT_TRUE(entry(name).binary);
}

TEST_F(Listing, WhatCannotBeReadIsNotCalledDamaged) {
  chmod((folder / name_of("a")).c_str(), 0666);
  EXPECT_FALSE(entry(name_of("a")).binary);
  EXPECT_FALSE(entry(name_of("a")).damaged);
}

TEST_F(Listing, AReadOnlyFolderIsListedToo) {
  Config config = test_config();
  config.read_only_folders = {folder.path()};
  configure(config);
  EXPECT_EQ(read_only_entries(folder.path()).size(), 2u);
  EXPECT_THROW(read_only_entries("/nowhere"), ropeline::Error);
}

TEST_F(Listing, AFolderThatIsNotTrustedIsNotListed) {
  chmod(folder.path().c_str(), 0777);
  Config config = test_config();
  config.cache_folder = folder.path();
  configure(config);
  try {
    cached_entries();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.sentence(), "cache folder: " + folder.path() + " is writable by others (mode 0777); chmod go-w it");
  }
  EXPECT_EQ(remove_cached({.name = name_of("a")}), "is writable by others (mode 0777); chmod go-w it");
}

TEST_F(Listing, OfAPackIsTheSame) {
  write_pack(folder / "p", {std::make_shared<Binary>(binary("a")), std::make_shared<Binary>(binary("b"))});
  std::string damaged = content_of(folder / "p");
  damaged[damaged.size() - 40] ^= 1;
  write_file(folder / "p", damaged);
  const std::vector<CachedEntry> entries = packed_entries(folder / "p");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].name + ".rlj", std::min(name_of("a"), name_of("b")));
  EXPECT_TRUE(entries[0].binary) << entries[0].fault;
  EXPECT_EQ(entries[1].fault, "digest does not match");
  EXPECT_THROW(packed_entries(folder / "nowhere"), Error);
}

TEST_F(Listing, TheKeysTextIsWhatIsLookedFor) {
  const auto [key, text] = key_of(small_program(3), for_sm_90());
  EXPECT_EQ(key + ".rlj", name_of(text));
  EXPECT_NE(text.find("flag -arch=sm_90\n"), text.npos);
  EXPECT_NE(text.find("kernel 8 small<4>\n"), text.npos);
  EXPECT_NE(text.find("file small.cu "), text.npos);
  put(name_of(text), entry_bytes(binary(text)));
  const auto found = find(small_program(3), for_sm_90());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->origin, Origin::cache);
  EXPECT_EQ(found->path, folder / name_of(text));
  EXPECT_FALSE(find(small_program(4), for_sm_90()));
  EXPECT_EQ(statistics().compiles, 0u);
}

}  // namespace
}  // namespace ropeline::jit
