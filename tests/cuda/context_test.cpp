#include "cuda/context.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "cuda/driver.h"
#include "ropeline/device_memory.h"
#include "tests/cuda/fake_driver.h"
#include "tests/jit/setting.h"

namespace ropeline::cuda {
namespace {

class Context_ : public testing::Test {
 protected:
  void SetUp() override { fake = {}; }
  FakeDriver& fake = fake_driver();
};

TEST_F(Context_, FactsAreReadPerDevice) {
  EXPECT_EQ(device_count(), 2);
  EXPECT_EQ(facts(1).name, "Fake 1");
  EXPECT_EQ(facts(0).multiprocessors, 132);
  EXPECT_EQ(facts(0).l2_bytes, 50 << 20);
  EXPECT_EQ(facts(0).shared_bytes_optin, 227 << 10);
  EXPECT_EQ(architecture(facts(0)), "sm_90");
  EXPECT_EQ(architecture({"", 10, 3}), "sm_103");
}

TEST_F(Context_, ADeviceThatIsNotThereIsNamed) {
  try {
    facts(2);
    FAIL();
  } catch (const jit::Error& error) {
    EXPECT_EQ(error.sentence(), "device cuda:2: this machine has 2");
  }
}

TEST_F(Context_, AThreadWithoutContextGetsTheFirstDevice) {
  EXPECT_EQ(current_device(), -1);
  EXPECT_EQ(fake.calls, std::vector<std::string>{}) << "a question that is an error is not asked";
  EXPECT_EQ(make_current(), 0);
  EXPECT_EQ(current_device(), 0);
  fake.current = 1;
  EXPECT_EQ(make_current(), 1);
}

TEST_F(Context_, AnotherDeviceIsPushedAndPopped) {
  fake.current = 0;
  {
    const CurrentDevice same(0);
  }
  EXPECT_EQ(fake.calls, std::vector<std::string>{});
  {
    const CurrentDevice other(1);
  }
  EXPECT_EQ(fake.calls.back(), "pop");
  EXPECT_EQ(std::count(fake.calls.begin(), fake.calls.end(), "push"), 1);
}

TEST_F(Context_, AnObstacleIsNamed) {
  EXPECT_EQ(obstacle(1), "");
  EXPECT_EQ(obstacle(2), "cuda:2: this machine has 2 CUDA devices");
  EXPECT_EQ(obstacle(-1), "cuda:-1: this machine has 2 CUDA devices");
}

TEST_F(Context_, MemoryIsMadeAndFreedOnItsDeviceBesideCaptures) {
  fake.current = 0;
  {
    const DeviceMemory memory(16, 1);
  }
  EXPECT_TRUE(std::ranges::count(fake.calls, "allocate on 1, capture mode 2")) << "relaxed";
  EXPECT_TRUE(std::ranges::count(fake.calls, "free on 1"));
  EXPECT_EQ(fake.current, 0);
  EXPECT_EQ(fake.capture_mode, 0);
}

TEST_F(Context_, CaptureIsSeenThroughTheNullStreamToo) {
  EXPECT_FALSE(is_capturing(nullptr));
  fake.capture_status = 1;
  EXPECT_TRUE(is_capturing(nullptr));
  fake.capture_status = 0;
  fake.capture_result = result::capture_implicit;
  EXPECT_TRUE(is_capturing(nullptr));
}

TEST_F(Context_, MemoryGoesThereAndBack) {
  DeviceMemory memory(16);
  const std::string sent = "sixteen bytes...";
  std::string got(16, ' ');
  memory.upload(sent.data());
  DeviceMemory moved = std::move(memory);
  moved.download(got.data());
  EXPECT_EQ(got, sent);
}

TEST_F(Context_, WhatWasUploadedIsThereForEveryStream) {
  DeviceMemory memory(16);
  const std::string sent = "sixteen bytes...";
  memory.upload(sent.data());
  EXPECT_EQ(std::string(static_cast<const char*>(memory.data()), 16), sent);
}

TEST_F(Context_, AForkedChildIsToldToSpawn) {
  require_driver();
  const pid_t child = fork();
  if (child == 0) {
    try {
      require_driver();
    } catch (const jit::Error& error) {
      _exit(error.hint() == "CUDA does not survive fork(); use spawn" ? 0 : 2);
    }
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace ropeline::cuda
