// Plans of kv_cast for a GPU on the fake driver: what prepare uploads, what run launches, however many tokens there
// are.

#include "ropeline/kv_cast.h"

#include <algorithm>

#include "ops/kv_cast_launch.h"
#include "tests/cuda/fake_device.h"

namespace ropeline {
namespace {

namespace op = ops::kv_cast;

constexpr KvCastSpec kSpec{.heads = 4, .head_dim = 64, .loc = DType::int32};

/// Tensors that lie nowhere: the fake driver reads nothing. One row of k and v serves every token.
KvCastArgs args_of(std::int64_t tokens, int device = 0) {
  const Device on = Device::cuda(device);
  const auto at = [](std::size_t address) { return reinterpret_cast<void*>(address << 44); };
  return {.k = {at(1), DType::bf16, {tokens, 4, 64}, {256, 64, 1}, on},
          .v = {at(2), DType::bf16, {tokens, 4, 64}, {0, 64, 1}, on},
          .k_cache = {at(3), DType::fp8_e4m3, {100, 4, 64}, on},
          .v_cache = {at(4), DType::fp8_e4m3, {100, 4, 64}, on},
          .k_scale = {at(5), DType::fp32, {}, on},
          .v_scale = {at(6), DType::fp32, {}, on},
          .loc = {at(7), DType::int32, {tokens}, {3}, on},
          .mult = 2,
          .offset = 5};
}

using CudaKvCast = cuda::FakeDevice<KvCastParams>;

TEST_F(CudaKvCast, PrepareUploadsBothFormsAndLeavesTheContextAlone) {
  const KvCastPlan plan = prepare(kSpec, Device::cuda(1));
  EXPECT_EQ(to_string(plan.device()), "cuda:1");
  EXPECT_EQ(plan.spec(), kSpec);
  EXPECT_EQ(std::ranges::count(fake.calls, "upload"), 2);
  EXPECT_TRUE(fake.launches.empty());
  EXPECT_EQ(fake.current, -1);
  EXPECT_EQ(fake.capture_mode, 0);
}

TEST_F(CudaKvCast, RunQueuesOneKernelOfTheRuleWithTheParamsOfTheCall) {
  const KvCastPlan plan = prepare(kSpec, Device::cuda());
  const auto variants = op::variants(kSpec);
  for (const std::int64_t tokens : {1, 7, 5'000}) {
    fake.launches.clear();
    plan.run(args_of(tokens), {.cuda = &fake});
    ASSERT_EQ(fake.launches.size(), 1u);
    const op::Launch right = op::launch(variants[tokens > 100], tokens);
    EXPECT_TRUE(std::ranges::equal(fake.launches[0].grid, right.grid)) << tokens;
    EXPECT_TRUE(std::ranges::equal(fake.launches[0].block, right.block)) << tokens;
    EXPECT_EQ(fake.launches[0].stream, &fake);
    const KvCastParams params = argument_of(fake.launches.at(0));
    EXPECT_EQ(params.tokens, tokens);
    EXPECT_EQ(params.locs, 48u) << "rows 5, 7 ... 99";
    EXPECT_EQ(params.stream[1].cache, reinterpret_cast<char*>(std::size_t{4} << 44) + 5 * 256);
    EXPECT_EQ(params.stream[1].cache_loc, 2 * 256);
  }
}

TEST_F(CudaKvCast, APlanForAnyAlignmentTakesTheFormThatTheCallAdmits) {
  const KvCastSpec spec{.heads = 4, .head_dim = 64, .loc = DType::int32, .alignment = 2};
  const KvCastPlan plan = prepare(spec, Device::cuda());
  KvCastArgs aligned = args_of(5'000), odd = args_of(5'000);
  odd.k.strides[0] = 257;
  plan.run(aligned), plan.run(odd);
  ASSERT_EQ(fake.launches.size(), 2u);
  for (const auto& [launch, run] : {std::pair(0, 8), std::pair(1, 1)}) {
    const auto right = op::launch({.heads = 4, .head_dim = 64, .run = run}, 5'000);
    EXPECT_TRUE(std::ranges::equal(fake.launches[launch].block, right.block)) << run;
  }
}

TEST_F(CudaKvCast, ACallOfMoreTokensThanAGridIsCut) {
  const std::int64_t tokens = op::most_tokens + 5;
  prepare(kSpec, Device::cuda()).run(args_of(tokens));
  ASSERT_EQ(fake.launches.size(), 2u);
  const KvCastParams first = argument_of(fake.launches.at(0)), second = argument_of(fake.launches.at(1));
  EXPECT_EQ(first.tokens, op::most_tokens);
  EXPECT_EQ(second.tokens, 5);
  const auto distance = [](const void* a, const void* b) {
    return static_cast<const char*>(b) - static_cast<const char*>(a);
  };
  EXPECT_EQ(distance(first.stream[0].in, second.stream[0].in), op::most_tokens * 512);
  EXPECT_EQ(distance(first.stream[1].in, second.stream[1].in), 0);
  EXPECT_EQ(distance(first.loc, second.loc), op::most_tokens * 12);
  EXPECT_EQ(first.stream[0].cache, second.stream[0].cache);
}

TEST_F(CudaKvCast, NothingIsLaunchedWhereNothingIsWritten) {
  const KvCastPlan plan = prepare(kSpec, Device::cuda());
  plan.run(args_of(0));
  KvCastArgs beyond = args_of(3);
  beyond.offset = 100;
  plan.run(beyond);
  EXPECT_TRUE(fake.launches.empty());
}

// Whichever context is current: that of the plan, none, another one of its device, one of the stream's device.
TEST_F(CudaKvCast, AStreamOfAnotherDeviceIsRefusedBeforeAnythingIsLaunched) {
  const KvCastPlan plan = prepare(kSpec, Device::cuda(1));
  fake.stream_device[&fake] = 0;
  for (const int current : {1, -1, 101, 0}) {
    SCOPED_TRACE(current);
    fake.current = current;
    try {
      plan.run(args_of(1, 1), {.cuda = &fake});
      ADD_FAILURE() << "launched";
    } catch (const jit::Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      EXPECT_EQ(error.sentence(), "stream: is of cuda:0, the kernel runs on cuda:1");
    }
    EXPECT_EQ(fake.current, current);
    EXPECT_TRUE(fake.launches.empty());
  }
  fake.fail["cuStreamGetCtx"] = 801;  // of a green context: the driver does not say
  fake.current = 101;
  plan.run(args_of(1, 1), {.cuda = &fake});
  fake.stream_device[&fake] = 1;
  for (const int current : {1, -1, 101, 0}) fake.current = current, plan.run(args_of(1, 1), {.cuda = &fake});
  EXPECT_EQ(fake.launches.size(), 5u);
}

TEST_F(CudaKvCast, PrepareIsRefusedWhileACaptureForbidsIt) {
  fake.capture_result = 906;
  EXPECT_EQ(try_prepare(kSpec, Device::cuda()).reason,
            "jit load: kv_cast: cannot be prepared while a stream is being captured into a graph\n"
            "hint: prepare the plan before the capture begins; running it is legal in one");
}

}  // namespace
}  // namespace ropeline
