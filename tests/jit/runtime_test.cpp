// The look-up: who finds what where, what is counted, and what is told.

#include <algorithm>
#include <thread>

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

class Lookup : public testing::Test {
 protected:
  void SetUp() override {
    configure(with_cache());
    ROPELINE_NEEDS_COMPILER();
  }

  Config with_cache() {
    Config config = test_config();
    config.cache_folder = folder / "cache";
    config.on_event = [this](const Event& event) {
      events.push_back(std::string(name_of(event.kind)) +
                       (event.kind == Event::Kind::hit ? std::string(" ") + name_of(event.origin) : ""));
    };
    return config;
  }

  std::vector<std::string> entries() { return files_in(folder / "cache", true); }

  using Events = std::vector<std::string>;
  TemporaryFolder folder;
  Events events;
};

TEST_F(Lookup, MemoryThenCacheThenCompile) {
  const Build cold = build(small_program(1), for_sm_90());
  EXPECT_EQ(cold.origin, Origin::compiled);
  EXPECT_EQ(entries(), std::vector<std::string>{cold.path});
  const Build again = build(small_program(1), for_sm_90());
  EXPECT_EQ(again.origin, Origin::memory);
  EXPECT_EQ(again.binary, cold.binary);
  configure(with_cache());
  const Build warm = build(small_program(1), for_sm_90());
  EXPECT_EQ(warm.origin, Origin::cache);
  EXPECT_EQ(warm.path, cold.path);
  EXPECT_EQ(warm.binary->image, cold.binary->image);
  EXPECT_EQ(warm.binary->key_text, cold.binary->key_text);
  EXPECT_EQ(events, (Events{"miss", "compiled", "published", "hit memory", "hit cache"}));
}

TEST_F(Lookup, ReadOnlyFoldersComeBeforeTheCache) {
  build(small_program(1), for_sm_90());
  std::filesystem::rename(folder / "cache", folder / "image");
  Config config = with_cache();
  config.read_only_folders = {folder / "nowhere", folder / "image"};
  configure(config);
  EXPECT_EQ(build(small_program(1), for_sm_90()).origin, Origin::read_only);
  EXPECT_TRUE(entries().empty());
  EXPECT_EQ(statistics().read_only_hits, 1u);
  EXPECT_EQ(statistics().compiles, 0u);
}

TEST_F(Lookup, EveryKindOfDamageIsRepairedAndCounted) {
  const Build cold = build(small_program(1), for_sm_90());
  const std::string whole = content_of(cold.path);
  const std::string other = content_of(build(small_program(2), for_sm_90()).path);
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string& damaged :
       {std::string(), whole.substr(0, whole.size() / 2), flipped, other, std::string("text")}) {
    write_file(cold.path, damaged);
    configure(with_cache());
    const Build repaired = build(small_program(1), for_sm_90());
    EXPECT_EQ(repaired.origin, Origin::compiled);
    EXPECT_EQ(repaired.binary->image, cold.binary->image);
    EXPECT_EQ(statistics().bad_entries, 2u);  // before the lock and under it
    EXPECT_EQ(content_of(cold.path), whole);
  }
}

TEST_F(Lookup, WithoutCompilingAMissNamesTheKernel) {
  Config config = with_cache();
  config.compile = false;
  configure(config);
  try {
    build(small_program(1), for_sm_90());
    FAIL() << "it compiled";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_NE(
        error.sentence().find("small.cu for sm_90: kernel small<4> is in no cache, and compiling is switched off"),
        std::string::npos);
  }
  configure(with_cache());
  build(small_program(1), for_sm_90());
  configure(config);
  EXPECT_EQ(build(small_program(1), for_sm_90()).origin, Origin::cache);
}

TEST_F(Lookup, AChangedHeaderIsAnotherProgram) {
  Source source = {
      "k.cu", "#include \"a.h\"\n__global__ void k(int* x) { *x = A; }", {"k"}, {{"a.h", "#define A 1\n"}}};
  build(source, for_sm_90());
  source.headers[0].text = "#define A 2\n";
  EXPECT_EQ(build(source, for_sm_90()).origin, Origin::compiled);
}

TEST_F(Lookup, AThousandThreadsCompileOnce) {
  events.reserve(4096);
  Config config = with_cache();
  config.on_event = nullptr;
  configure(config);
  std::vector<std::thread> threads;
  std::vector<const Binary*> binaries(1000);
  for (auto& binary : binaries)
    threads.emplace_back([&] { binary = build(small_program(1), for_sm_90()).binary.get(); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::count(binaries.begin(), binaries.end(), binaries[0]), 1000);
  EXPECT_EQ(statistics().compiles, 1u);
  EXPECT_EQ(statistics().memory_hits, 999u);
}

TEST_F(Lookup, AFailureIsRetried) {
  const Source wrong = {"k.cu", "__global__ void k() { wrong; }", {"k"}};
  EXPECT_THROW(build(wrong, for_sm_90()), Error);
  EXPECT_THROW(build(wrong, for_sm_90()), Error);
  EXPECT_EQ(events, (Events{"miss", "miss"}));
  EXPECT_TRUE(entries().empty());
}

TEST_F(Lookup, RemarksAreTold) {
  build({"k.cu", "__global__ void k() { int unused; }", {"k"}}, for_sm_90());
  EXPECT_EQ(std::count(events.begin(), events.end(), "warning"), 1);
}

}  // namespace
}  // namespace ropeline::jit
