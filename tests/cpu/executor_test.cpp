#include "ropeline/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cpu/random_call.h"
#include "cpu/thread_pool.h"
#include "ropeline/error.h"

namespace ropeline {
namespace {

void count_up(void* context, int index) {
  ++(*static_cast<std::vector<std::atomic<int>>*>(context))[static_cast<std::size_t>(index)];
}

TEST(ThreadPool, CallsEachIndexOnce) {
  cpu::ThreadPool pool(4);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(round % 9));
    pool.run(static_cast<int>(calls.size()), count_up, &calls);
    for (const auto& n : calls) ASSERT_EQ(n, 1) << "round " << round;
  }
}

TEST(ThreadPool, ServesManyCallersAndResizes) {
  cpu::ThreadPool pool(3);
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&pool, c] {
      for (int round = 0; round < 500; ++round) {
        std::vector<std::atomic<int>> calls(5);
        pool.run(5, count_up, &calls);
        for (const auto& n : calls) ASSERT_EQ(n, 1);
        if (c == 0 && round % 100 == 0) pool.resize(1 + round / 100);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(pool.width(), 5);
}

TEST(ThreadPool, WakesSleepers) {
  cpu::ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::vector<std::atomic<int>> calls(2);
    pool.run(2, count_up, &calls);
    EXPECT_EQ(calls[0] + calls[1], 2);
  }
}

TEST(CpuThreads, AreSetAndRefused) {
  const int before = cpu_threads();
  set_cpu_threads(3);
  EXPECT_EQ(cpu_threads(), 3);
  set_cpu_threads(before);
  for (int wrong : {0, -1, 1025}) {
    try {
      set_cpu_threads(wrong);
      ADD_FAILURE() << wrong << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      EXPECT_EQ(error.what(), "threads: " + std::to_string(wrong) + " is not from 1 to 1024");
    }
  }
}

/// A host's own pool, as odd as it may be: many parts, last one first.
class Backwards : public Executor {
 public:
  int width() const noexcept override { return 7; }
  void run(int count, Task task, void* context) override {
    parts = count;
    for (int i = count; i-- > 0;) task(context, i);
  }
  int parts = 0;
};

TEST(Executor, OfTheCallerGivesTheSameBits) {
  const Spec spec =
      qk_norm_rope({.q = 32, .k = 4, .head_dim = 128}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, 128)));
  constexpr std::int64_t tokens = 61;
  std::vector<std::uint16_t> once(tokens * 36 * 128), weight(128, 0x3f80);
  std::vector<std::int64_t> positions(tokens);
  for (std::size_t i = 0; i < once.size(); ++i) once[i] = static_cast<std::uint16_t>(0x3f00 + i * 37 % 251);
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int64_t>(i * i);
  std::vector<std::uint16_t> split = once;
  const auto args = [&](std::vector<std::uint16_t>& qk) {
    Args a;
    a.q = TensorView(qk.data(), DType::bf16, {tokens, 32, 128}, {36 * 128, 128, 1});
    a.k = TensorView(qk.data() + 32 * 128, DType::bf16, {tokens, 4, 128}, {36 * 128, 128, 1});
    a.q_weight = a.k_weight = TensorView(weight.data(), DType::bf16, {128});
    a.positions = TensorView(positions.data(), DType::int64, {tokens});
    return a;
  };
  const Plan plan = prepare(spec, Device::cpu());
  Backwards executor;
  plan.run(args(once));
  plan.run(args(split), DeviceStream::on(executor));
  EXPECT_EQ(executor.parts, 7);
  EXPECT_EQ(once, split);
}

}  // namespace
}  // namespace ropeline
