// The emulator sees what it is there for: each fault of this file is planted, and found.

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "emulator/device.h"

namespace ropeline::emulator {
namespace {

void run(unsigned threads, const std::function<void()>& body, Conditions conditions = {}) {
  launch({1, 1, 1}, {threads, 1, 1}, conditions, body);
}

TEST(Emulator, ThreadsKnowWhereTheyStand) {
  std::vector<int> seen(2 * 3 * 32);
  launch({3, 2, 1}, {16, 2, 1}, {}, [&] {
    const unsigned block = blockIdx.y * gridDim.x + blockIdx.x, thread = threadIdx.y * blockDim.x + threadIdx.x;
    ++seen[block * 32 + thread];
  });
  EXPECT_EQ(seen, std::vector<int>(2 * 3 * 32, 1));
}

TEST(Emulator, ShufflesBringTheOtherLanesValue) {
  std::vector<float> from_neighbour(64), from_five(64);
  run(64, [&] {
    const float own = static_cast<float>(threadIdx.x);
    from_neighbour[threadIdx.x] = __shfl_xor_sync(~0u, own, 4);
    from_five[threadIdx.x] = __shfl_sync(~0u, own, 5 + 32);
  });
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(from_neighbour[i], i ^ 4);
    EXPECT_EQ(from_five[i], i / 32 * 32 + 5);
  }
}

TEST(Emulator, BarriersHoldTheWholeBlock) {
  std::vector<int> shared(96), sums(96);
  run(96, [&] {
    shared[threadIdx.x] = 1;
    __syncthreads();
    for (int value : shared) sums[threadIdx.x] += value;
  });
  EXPECT_EQ(sums, std::vector<int>(96, 96));
}

std::string fault_of(unsigned threads, const std::function<void()>& body) {
  try {
    run(threads, body);
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "none";
}

TEST(Emulator, SeesAShuffleThatSomeLanesSkip) {
  const std::string fault = fault_of(32, [] {
    if (threadIdx.x < 24) __shfl_xor_sync(~0u, 1.0f, 1);
  });
  EXPECT_EQ(fault, "block (0, 0, 0) thread (0, 0, 0) lane 0 waits at a shuffle that others never reach");
}

TEST(Emulator, SeesLanesThatMeetAtDifferentShuffles) {
  volatile float sink = 0;
  const std::string fault = fault_of(32, [&] {
    if (threadIdx.x < 16)
      sink = __shfl_xor_sync(~0u, 1.0f, 1) + 1;
    else
      sink = __shfl_xor_sync(~0u, 2.0f, 1) * 2;
  });
  EXPECT_EQ(fault, "block (0, 0, 0) thread (16, 0, 0) lane 16 shuffles at another place than its warp");
}

TEST(Emulator, SeesAMaskOfLessThanAWarp) {
  EXPECT_EQ(fault_of(32, [] { __shfl_xor_sync(0xffffu, 1.0f, 1); }),
            "block (0, 0, 0) thread (0, 0, 0) lane 0 shuffles with less than a whole warp");
  EXPECT_EQ(fault_of(24, [] { __shfl_xor_sync(~0u, 1.0f, 1); }),
            "block (0, 0, 0) thread (0, 0, 0) lane 0 shuffles with less than a whole warp");
}

TEST(Emulator, SeesABarrierThatSomeThreadsSkip) {
  const std::string fault = fault_of(64, [] {
    if (threadIdx.x != 3) __syncthreads();
  });
  EXPECT_EQ(fault, "block (0, 0, 0) thread (0, 0, 0) lane 0 waits at a barrier that others never reach");
}

TEST(Emulator, RunsAgainAfterAFault) {
  EXPECT_NE(fault_of(32,
                     [] {
                       if (threadIdx.x == 0) __syncthreads();
                     }),
            "none");
  EXPECT_EQ(fault_of(32, [] { __syncthreads(); }), "none");
}

/// Reads a local that was never written: what a launch returns depends on the poison.
int read_garbage(std::byte poison) {
  int result = 0;
  run(32,
      [&] {
        volatile int local[4];
        local[1] = 7;
        result = local[threadIdx.x % 4 == 1 ? 1 : 2];
      },
      {.poison = poison});
  return result;
}

TEST(Emulator, StacksHoldThePoison) { EXPECT_NE(read_garbage(std::byte{0xa5}), read_garbage(std::byte{0x3c})); }

TEST(Emulator, TheOrderOfThreadsCanBeTurned) {
  std::vector<int> order[2];
  for (const bool backward : {false, true})
    run(4, [&] { order[backward].push_back(static_cast<int>(threadIdx.x)); }, {.backward = backward});
  EXPECT_EQ(order[0], (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(order[1], (std::vector<int>{3, 2, 1, 0}));
}

TEST(Emulator, TheRootEstimateMovesByUnits) {
  float y[3];
  for (const int units : {-1, 0, 1}) run(1, [&] { y[units + 1] = rsqrt_approx(3.0f); }, {.estimate_units = units});
  EXPECT_LT(y[0], y[1]);
  EXPECT_LT(y[1], y[2]);
}

#if defined(__SANITIZE_ADDRESS__)

TEST(EmulatorDeathTest, SeesAReadBeyondGlobalMemoryInAnyFiber) {
  const auto memory = std::make_unique<float[]>(40);
  const auto body = [&] {
    const float mine = __shfl_xor_sync(~0u, memory[threadIdx.x], 1);
    memory[threadIdx.x] = memory[threadIdx.x + (threadIdx.x == 29 ? 11 : 0)] + mine;
  };
  EXPECT_DEATH(run(32, body), "heap-buffer-overflow");
}

TEST(EmulatorDeathTest, SeesAWriteBeyondALocalAfterASwitch) {
  const auto body = [] {
    volatile float local[4] = {};
    const int at = 4 + static_cast<int>(__shfl_xor_sync(~0u, 0.0f, 1));
    local[at] = local[0] + 1;
  };
  EXPECT_DEATH(run(32, body), "stack-buffer-overflow|index 4 out of bounds");
}

TEST(EmulatorDeathTest, SeesAShiftByThirtyTwo) {
  volatile unsigned n = 32;
  EXPECT_DEATH(run(32, [&] { n = (1u << n) - 1; }), "shift exponent 32 is too large");
}

TEST(EmulatorDeathTest, SeesAMisalignedAccess) {
  struct alignas(8) Pair {
    float x, y;
  };
  const auto memory = std::make_unique<float[]>(4);
  EXPECT_DEATH(run(32, [&] { reinterpret_cast<volatile Pair*>(memory.get() + 1)->x = 1; }), "misaligned address");
}

#endif

}  // namespace
}  // namespace ropeline::emulator
