// Two GPUs in one process: plans and programs of each, whichever of them is current, at once and apart.

#include <array>
#include <memory>
#include <optional>
#include <thread>

#include "cuda/plan_on_device.h"
#include "cuda/queue.h"

namespace ropeline {
namespace {

using conformance::Call;
using conformance::DeviceBlocks;
using cuda::Graph;
using cuda::Queue;

class BothDevices : public PlanOnDevice {
 protected:
  void SetUp() override {
    PlanOnDevice::SetUp();
    if (IsSkipped()) return;
    if (const std::string reason = cuda::obstacle(1); !reason.empty()) ROPELINE_NOT_RUN("no second device: " + reason);
  }

  /// What is wrong with the plan's results for that call on that device, or an empty string.
  static std::string fault_of(const Plan& plan, int device, const Call& call, const Queue* queue = nullptr) {
    Call got = call;
    DeviceBlocks blocks(got.memory, Device::cuda(device));
    plan.run(blocks.args(got.args), {.cuda = queue ? queue->get() : nullptr});
    if (queue) queue->wait();
    blocks.download(got.memory);
    return conformance::difference(done_by_reference(call), got);
  }

  /// A stream of that device.
  static std::unique_ptr<Queue> queue_on(int device) {
    const cuda::CurrentDevice current(device);
    return std::make_unique<Queue>();
  }
};

TEST_F(BothDevices, WhicheverIsCurrentAPlanRunsOnItsOwn) {
  for (const int current : {0, 1, 0}) {
    const cuda::CurrentDevice guard(current);
    for (const int device : {1, 0, 1}) {
      const Plan plan = prepare(spec_of(), Device::cuda(device));
      EXPECT_EQ(cuda::current_device(), current);
      EXPECT_EQ(fault_of(plan, device, call_of(6 + current)), "") << device << " while " << current << " is current";
      EXPECT_EQ(cuda::current_device(), current);
    }
  }
}

// A plan keeps its frequencies on its device: the end of one takes nothing from the other.
TEST_F(BothDevices, APlanOutlivesItsTwin) {
  std::array<std::optional<Plan>, 2> plans;
  for (const int device : {0, 1}) plans[device] = prepare(spec_of(), Device::cuda(device));
  for (const int first : {0, 1}) {
    plans[first].reset();
    EXPECT_EQ(fault_of(*plans[1 - first], 1 - first, call_of(8)), "");
    plans[first] = prepare(spec_of(), Device::cuda(first));
  }
}

TEST_F(BothDevices, AThreadWithoutAContextRunsAndEndsAPlanOfTheSecond) {
  std::optional<Plan> plan = prepare(spec_of(), Device::cuda(1));
  std::thread([&] {
    EXPECT_EQ(cuda::current_device(), -1);
    EXPECT_EQ(fault_of(*plan, 1, call_of(9)), "");
    plan.reset();
    EXPECT_EQ(cuda::current_device(), -1);
  }).join();
}

// Half of the threads have the other device current than the one that they queue on.
TEST_F(BothDevices, EightThreadsOnFourStreamsOfEach) {
  const std::array<Plan, 2> plans = {prepare(spec_of(), Device::cuda(0)), prepare(spec_of(), Device::cuda(1))};
  std::vector<std::string> faults(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      const cuda::CurrentDevice current(t % 2);
      std::array<std::unique_ptr<Queue>, 8> queues;
      for (int i = 0; i < 8; ++i) queues[i] = queue_on(i / 4);
      for (int i = 0; faults[t].empty() && i < 48; ++i) {
        const int queue = (5 * i + t) % 8, device = queue / 4;
        faults[t] = fault_of(plans[device], device, call_of(100 * t + i, 1 + 37 * (i % 5)), queues[queue].get());
        if (cuda::current_device() != t % 2) faults[t] = "the thread's device is another one";
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) EXPECT_EQ(fault, "");
}

TEST_F(BothDevices, EightThreadsPrepareForBothAtOnceAndOneCompiles) {
  std::vector<std::string> faults(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      const Plan plan = prepare(spec_of(), Device::cuda(t % 2));
      faults[t] = fault_of(plan, t % 2, call_of(t));
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fault : faults) EXPECT_EQ(fault, "");
  const bool alike = cuda::architecture(cuda::facts(0)) == cuda::architecture(cuda::facts(1));
  EXPECT_EQ(jit::statistics().compiles, alike ? 1u : 2u);
}

TEST_F(BothDevices, ATensorOfTheOtherIsRefusedBeforeAnythingIsWritten) {
  const Plan plan = prepare(spec_of(), Device::cuda(1));
  const Call call = call_of(10);
  Call got = call;
  DeviceBlocks here(got.memory, Device::cuda(1)), there(got.memory, Device::cuda(0));
  Args args = here.args(got.args);
  args.k = there.args(got.args).k;
  try {
    plan.run(args);
    ADD_FAILURE() << "k of another device was taken";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "k: is on cuda:0, the plan runs on cuda:1");
  }
  for (const DeviceBlocks* blocks : {&here, &there}) {
    blocks->download(got.memory);
    EXPECT_TRUE(conformance::same_bytes(call, got));
  }
}

TEST_F(BothDevices, AStreamOfTheOtherIsRefusedWhicheverIsCurrent) {
  const Plan plan = prepare(spec_of(), Device::cuda(1));
  const Call call = call_of(12);
  Call got = call;
  DeviceBlocks blocks(got.memory, Device::cuda(1));
  const std::unique_ptr<Queue> queue = queue_on(0);
  for (const int current : {0, 1}) {
    const cuda::CurrentDevice guard(current);
    try {
      plan.run(blocks.args(got.args), {.cuda = queue->get()});
      ADD_FAILURE() << "launched while " << current << " is current";
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("jit launch: stream: is of cuda:0, the kernel runs on cuda:1"))
          << error.what();
    }
  }
  queue->wait();
  blocks.download(got.memory);
  EXPECT_TRUE(conformance::same_bytes(call, got));
  EXPECT_EQ(fault_of(plan, 1, call), "");
}

// The capture is of the second device while the first is current; the first prepares meanwhile.
TEST_F(BothDevices, AGraphOfOneWhileTheOtherPrepares) {
  const Plan plan = prepare(spec_of(), Device::cuda(1));
  const Call call = call_of(11);
  Call got = call;
  DeviceBlocks blocks(got.memory, Device::cuda(1));
  const std::unique_ptr<Queue> queue = queue_on(1);
  std::optional<Plan> other;
  const Graph graph(*queue, [&] {
    other = prepare(spec_of(3, 1), Device::cuda(0));
    plan.run(blocks.args(got.args), {.cuda = queue->get()});
  });
  EXPECT_EQ(cuda::current_device(), 0);
  graph.launch(*queue);
  queue->wait();
  blocks.download(got.memory);
  EXPECT_EQ(conformance::difference(done_by_reference(call), got), "");
}

// A kernel author's program: one binary, loaded for each device, launched on each by threads of their own.
TEST_F(BothDevices, AProgramIsLoadedOnBothAtOnce) {
  const jit::Source source{.name = "fill.cu",
                           .text = "__global__ void fill(int* x, int value) { x[threadIdx.x] = value; }\n",
                           .kernels = {"fill"}};
  std::array<std::array<int, 64>, 8> got = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      const cuda::CurrentDevice current(t % 2);
      DeviceMemory memory(sizeof got[t], t % 2);
      jit::load(source).kernel().launch({.block = {64}}, static_cast<int*>(memory.data()), 1000 + t);
      memory.download(got[t].data());
    });
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 8; ++t)
    for (const int x : got[t]) ASSERT_EQ(x, 1000 + t);
}

}  // namespace
}  // namespace ropeline
