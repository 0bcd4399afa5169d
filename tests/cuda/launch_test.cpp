// From a source to a launch, on the fake driver.

#include "tests/cuda/fake_driver.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

class LaunchTest : public testing::Test {
 protected:
  void SetUp() override {
    fake = {};
    configure(with_cache());
    ROPELINE_NEEDS_COMPILER();
  }

  Config with_cache() {
    Config config = test_config();
    config.cache_folder = folder / "cache";
    return config;
  }

  cuda::FakeDriver& fake = cuda::fake_driver();
  TemporaryFolder folder;
};

TEST_F(LaunchTest, ArrivesAsItWasWritten) {
  const Kernel kernel = load(small_program(1)).kernel();
  EXPECT_EQ(kernel.facts().expression, "small<4>");
  float* const x = reinterpret_cast<float*>(0x1234);
  const int n = 7;
  kernel.launch({.grid = {2, 3, 4}, .block = {128, 2, 1}, .shared_bytes = 64, .stream = &fake}, x, n);
  ASSERT_EQ(fake.launches.size(), 1u);
  const auto& launch = fake.launches[0];
  EXPECT_TRUE(std::equal(launch.grid, launch.grid + 3, std::array{2u, 3u, 4u}.begin()));
  EXPECT_TRUE(std::equal(launch.block, launch.block + 3, std::array{128u, 2u, 1u}.begin()));
  EXPECT_EQ(launch.shared_bytes, 64u);
  EXPECT_EQ(launch.stream, &fake);
  EXPECT_TRUE(launch.attribute_ids.empty());
  ASSERT_EQ(launch.arguments.size(), 2u);
  EXPECT_EQ(launch.arguments[0], &x);
  EXPECT_EQ(launch.arguments[1], &n);
}

TEST_F(LaunchTest, TheFunctionOfTheContextOrTheKernelsHandle) {
  fake.current = 0;
  const Kernel kernel = load(small_program(1)).kernel();
  kernel.launch({});
  fake.current = 100;  // another context of the device
  kernel.launch({});
  ASSERT_EQ(fake.launches.size(), 2u);
  EXPECT_EQ(fake.launches[0].function, static_cast<char*>(fake.launches[1].function) + fake.function_of_kernel);
}

TEST_F(LaunchTest, AKernelRunsOnItsOwnDeviceWhicheverIsCurrent) {
  fake.current = 1;
  const Kernel kernel = load(small_program(1)).kernel();
  kernel.launch({});
  for (const int elsewhere : {0, -1}) {
    fake.current = elsewhere;
    fake.calls.clear();
    kernel.launch({});
    EXPECT_EQ(fake.calls, (std::vector<std::string>{"push", "pop"})) << elsewhere;
    EXPECT_EQ(fake.current, elsewhere);
    EXPECT_EQ(fake.launches.back().function, fake.launches[0].function) << "not the function of its context";
    EXPECT_EQ(fake.launches.back().device, 1);
  }
  EXPECT_EQ(fake.launches.size(), 3u);
}

TEST_F(LaunchTest, OverlapIsOneAttribute) {
  load(small_program(1)).kernel().launch({.overlap_previous = true});
  EXPECT_EQ(fake.launches.at(0).attribute_ids, std::vector<int>{6});
  EXPECT_EQ(fake.launches.at(0).attribute_values, std::vector<int>{1});
}

TEST_F(LaunchTest, ARefusedLaunchSaysWhatItWas) {
  const Kernel kernel = load(small_program(1)).kernel();
  fake.launch_result = 1;
  try {
    kernel.launch({.grid = {5}, .block = {2048}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.stage(), Stage::launch);
    EXPECT_EQ(error.sentence(),
              "small<4>: grid (5, 1, 1), block (2048, 1, 1), 0 bytes of dynamic shared memory: "
              "CUDA_ERROR_INVALID_VALUE (fake, 1)");
  }
}

TEST_F(LaunchTest, LoadsOncePerProcessAndUploadsOncePerDevice) {
  load(small_program(1));
  load(small_program(1));
  EXPECT_EQ(fake.images.size(), 2u);  // once to verify the fresh binary before it is published
  EXPECT_EQ(std::count(fake.calls.begin(), fake.calls.end(), "upload"), 1);
  fake.current = 1;
  load(small_program(1));
  EXPECT_EQ(fake.images.size(), 2u);
  EXPECT_EQ(std::count(fake.calls.begin(), fake.calls.end(), "upload"), 2);
}

TEST_F(LaunchTest, EverythingThatIsAskedTellsProgramsApart) {
  const auto loads = [&](const Source& source, const Options& options = {}) {
    const std::size_t before = fake.images.size();
    load(source, options);
    return fake.images.size() != before;
  };
  Source source = small_program(1);
  source.headers = {{"a.h", "#define A 1\n"}};
  source.text += "#include \"a.h\"\n";
  EXPECT_TRUE(loads(source));
  EXPECT_FALSE(loads(source));
  source.headers[0].text = "#define A 2\n";
  EXPECT_TRUE(loads(source)) << "another header";
  source.kernels = {"small<5>"};
  EXPECT_TRUE(loads(source)) << "another kernel";
  EXPECT_TRUE(loads(source, {.flags = {"-DB"}})) << "another flag";
  EXPECT_TRUE(loads(source, {.architecture = "sm_80"})) << "another architecture";
  EXPECT_TRUE(loads(source, {.minimal = false})) << "another option";
  EXPECT_FALSE(loads(source));
}

TEST_F(LaunchTest, AChangedFileOfAnIncludeFolderIsSeen) {
  std::filesystem::create_directory(folder / "include");
  write_file(folder / "include/a.h", "#define A 1\n");
  Source source = small_program(1);
  source.text += "#include \"a.h\"\n";
  source.include_folders = {folder / "include"};
  load(source);
  const std::size_t before = fake.images.size();
  load(source);
  EXPECT_EQ(fake.images.size(), before);
  write_file(folder / "include/a.h", "#define A 2\n");
  load(source);
  EXPECT_GT(fake.images.size(), before);
}

TEST_F(LaunchTest, ABinaryThatDoesNotLoadIsNotPublished) {
  fake.load_result = 200;
  EXPECT_THROW(load(small_program(1)), Error);
  EXPECT_TRUE(files_in(folder / "cache", true).empty());
  fake.load_result = 0;
  load(small_program(1));
  EXPECT_EQ(files_in(folder / "cache", true).size(), 1u);
}

TEST_F(LaunchTest, ACaptureAllowsOnlyWhatIsLoaded) {
  load(small_program(1));
  fake.capture_status = 1;
  EXPECT_NO_THROW(load(small_program(1)).kernel().launch({}));
  try {
    load(small_program(2));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.sentence(), "small.cu: not loaded yet, and the stream is being captured into a graph");
    EXPECT_EQ(error.hint(), "load or prepare it before the capture begins");
  }
  fake.capture_status = 0;
  EXPECT_NO_THROW(load(small_program(2)));
}

TEST_F(LaunchTest, ANewerDeviceGetsPtxOfTheNewestKnownArchitecture) {
  const std::string newest = compiler_status().architectures.back();
  const Module module =
      load({.name = "k.cu", .text = "__global__ void k() {}", .kernels = {"k"}}, {.architecture = newest});
  EXPECT_EQ(module.binary().architecture, newest);
  EXPECT_THROW(load(small_program(1), {.architecture = "sm_999"}), Error);  // asked for, so not replaced
}

TEST_F(LaunchTest, KernelsAreFoundByNameOrRefusedWithTheNames) {
  Source source = small_program(1);
  source.kernels = {"small<1>", "small<2>"};
  const Module module = load(source);
  EXPECT_EQ(module.kernel("small<2>").facts().symbol, "_Z5smallILi2EEvPf");
  EXPECT_EQ(module.kernel(0).facts().expression, "small<1>");
  try {
    module.kernel("small<3>");
    FAIL();
  } catch (const ropeline::Error& error) {
    EXPECT_STREQ(error.what(), "kernel 'small<3>': the module has small<1>, small<2>");
  }
  EXPECT_THROW(module.kernel(2), ropeline::Error);
}

TEST_F(LaunchTest, CachedRemembersPerDevice) {
  int calls = 0;
  auto kernel = cached([&](int width) { return ++calls, load(small_program(width)).kernel(); });
  fake.current = 0;
  kernel(1), kernel(1), kernel(2);
  EXPECT_EQ(calls, 2);
  fake.current = 1;
  kernel(1);
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace ropeline::jit
