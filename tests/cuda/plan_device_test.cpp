// Plans on a real GPU, where the conformance suite does not look: graphs, streams, threads, large offsets.

#include <cstring>
#include <optional>
#include <thread>

#include "cuda/plan_on_device.h"
#include "cuda/queue.h"
#include "ropeline/kernel_source.h"

namespace ropeline {
namespace {

using conformance::Call;
using conformance::DeviceBlocks;
using cuda::Graph;
using cuda::Queue;

TEST_F(PlanOnDevice, AGraphReplaysItWithOtherData) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  const Call first = call_of(1);
  DeviceBlocks blocks(first.memory);
  const Queue queue;
  const Graph graph(queue, [&] { plan.run(blocks.args(first.args), {.cuda = queue.get()}); });
  for (const std::uint64_t seed : {1, 2, 3}) {
    const Call call = call_of(seed);
    Call got = call;
    blocks.upload(got.memory);
    graph.launch(queue);
    queue.wait();
    blocks.download(got.memory);
    EXPECT_EQ(conformance::difference(done_by_reference(call), got), "") << "seed " << seed;
  }
}

// What a machine without a GPU has packed runs here without a compiler and without a cache.
TEST_F(PlanOnDevice, APackOfTheKernelSourceServesPrepare) {
  const jit::TemporaryFolder folder;
  const std::string architecture = cuda::architecture(cuda::facts(0));
  jit::write_pack(folder / "p", {jit::build(kernel_source(spec_of()), {.architecture = architecture}).binary});
  jit::Config config = jit::test_config();
  config.packs = {folder / "p"};
  config.compile = false;
  jit::configure(config);
  const Call call = call_of(6);
  Call got = call;
  DeviceBlocks blocks(got.memory);
  const Queue queue;
  const Plan plan = prepare(spec_of(), Device::cuda());
  plan.run(blocks.args(got.args), {.cuda = queue.get()});
  queue.wait();
  blocks.download(got.memory);
  EXPECT_EQ(conformance::difference(done_by_reference(call), got), "");
  EXPECT_EQ(jit::statistics().pack_hits, 1u);
}

// The most forbidding capture, of this very thread; then of another one.
TEST_F(PlanOnDevice, PrepareAndTheEndOfAPlanLeaveACaptureAlone) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  const Call call = call_of(4);
  Call got = call;
  DeviceBlocks blocks(got.memory);
  const Queue queue;
  const Graph graph(queue, [&] {
    EXPECT_TRUE(try_prepare(spec_of(3, 1), Device::cuda())) << try_prepare(spec_of(3, 1), Device::cuda()).reason;
    std::thread([] { EXPECT_TRUE(try_prepare(spec_of(5, 1), Device::cuda())); }).join();
    plan.run(blocks.args(got.args), {.cuda = queue.get()});
  });
  graph.launch(queue);
  queue.wait();
  blocks.download(got.memory);
  EXPECT_EQ(conformance::difference(done_by_reference(call), got), "");
}

TEST_F(PlanOnDevice, EightThreadsOnFourStreamsShareAPlan) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  std::vector<std::string> faults(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      cuda::make_current();
      const Queue queues[4];
      for (int i = 0; faults[t].empty() && i < 40; ++i) {
        const Call call = call_of(100 * t + i, 1 + 37 * (i % 5));
        Call got = call;
        DeviceBlocks blocks(got.memory);
        plan.run(blocks.args(got.args), {.cuda = queues[i % 4].get()});
        queues[i % 4].wait();
        blocks.download(got.memory);
        faults[t] = conformance::difference(done_by_reference(call), got);
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) EXPECT_EQ(fault, "");
}

TEST_F(PlanOnDevice, AThreadWithoutAContextRunsAndEndsAPlan) {
  std::optional<Plan> plan = prepare(spec_of(), Device::cuda());
  const Call call = call_of(5);
  Call got = call;
  std::thread([&] {
    EXPECT_EQ(cuda::current_device(), -1);
    DeviceBlocks blocks(got.memory);
    plan->run(blocks.args(got.args));
    blocks.download(got.memory);
    plan.reset();
    EXPECT_EQ(cuda::current_device(), -1);
  }).join();
  EXPECT_EQ(conformance::difference(done_by_reference(call), got), "");
}

// The second token lies 2^31 elements behind the first: no 32 bits hold its offset.
TEST_F(PlanOnDevice, OffsetsBeyondThirtyTwoBits) {
  constexpr std::int64_t kStride = (std::int64_t{1} << 31) + 128;
  conformance::Recipe recipe{.spec = spec_of(1, 0)};
  recipe.tokens = 2;
  const Call call = conformance::make(recipe);
  std::optional<DeviceMemory> far;
  try {
    far.emplace((kStride + 128) * 2);
  } catch (const jit::Error& error) {
    ROPELINE_NOT_RUN(error.sentence());
  }
  Call got = call;
  DeviceBlocks blocks(got.memory);
  Args args = blocks.args(got.args);
  args.q = TensorView(far->data(), DType::bf16, {2, 1, 128}, {kStride, 128, 1}, Device::cuda());
  auto* host = static_cast<std::uint16_t*>(got.args.q.data);
  const auto row = [&](int t) { return reinterpret_cast<cuda::Address>(far->data()) + 2 * t * kStride; };
  const cuda::Driver& driver = cuda::require_driver();
  for (int t : {0, 1}) ASSERT_EQ(driver.to_device(row(t), host + 128 * t, 256), 0);
  prepare(call.spec, Device::cuda()).run(args);
  for (int t : {0, 1}) ASSERT_EQ(driver.to_host(host + 128 * t, row(t), 256), 0);
  EXPECT_EQ(conformance::difference(done_by_reference(call), got), "");
}

}  // namespace
}  // namespace ropeline
