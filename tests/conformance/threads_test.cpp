// Threads: the width of the pool, a host's own executor and simultaneous callers change no bit.

#include <atomic>
#include <thread>

#include "conformance/specs.h"
#include "conformance/suite.h"

namespace ropeline::conformance {
namespace {

/// Each CPU target of the machine: what these tests set has no meaning elsewhere.
class Threads : public testing::TestWithParam<CpuTarget> {
 protected:
  void TearDown() override { set_cpu_threads(1); }
  Plan plan(const Spec& spec) const { return prepare(spec, Device::cpu(GetParam())); }
};

INSTANTIATE_TEST_SUITE_P(All, Threads, testing::ValuesIn(cpu_targets()),
                         [](const auto& info) { return "cpu_" + std::string(name_of(info.param)); });

Call call_of(std::int64_t tokens, Rounding rounding = Rounding::fused()) {
  const Rope rope = Rope::neox(Frequencies::theta(1e6, 128));
  Recipe recipe{.spec = qk_norm_rope({.q = 8, .k = 2, .head_dim = 128}, RmsNorm{}, rope, rounding)};
  recipe.tokens = tokens;
  recipe.layout = Layout::packed;
  return make(recipe);
}

Call run(const Plan& plan, Call call, DeviceStream stream = {}) {
  plan.run(call.args, stream);
  return call;
}

TEST_P(Threads, AnyWidthOfThePoolGivesTheSameBits) {
  for (std::int64_t tokens : {1, 5, 64, 301}) {
    const Call call = call_of(tokens), expected = run_reference(call);
    const Plan p = plan(call.spec);
    for (int threads : {1, 2, 3, 7}) {
      set_cpu_threads(threads);
      EXPECT_EQ(cpu_threads(), threads);
      ASSERT_EQ(difference(expected, run(p, call)), "") << threads << " threads";
    }
  }
}

/// A host without threads that takes the tasks from the last to the first.
class Backward final : public Executor {
 public:
  explicit Backward(int width) : width_(width) {}
  int width() const noexcept override { return width_; }
  void run(int count, Task task, void* context) override {
    EXPECT_GE(count, 1);
    EXPECT_LE(count, width_) << "more tasks than the executor's width";
    for (int i = count - 1; i >= 0; --i) task(context, i);
  }

 private:
  int width_;
};

/// A host that starts a thread for each task.
class OneThreadEach final : public Executor {
 public:
  int width() const noexcept override { return 4; }
  void run(int count, Task task, void* context) override {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(task, context, i);
    for (std::thread& thread : threads) thread.join();
    runs += 1;
  }
  std::atomic<int> runs = 0;
};

TEST_P(Threads, AnExecutorOfTheHostGivesTheSameBits) {
  OneThreadEach own;
  for (std::int64_t tokens : {1, 5, 64, 301}) {
    const Call call = call_of(tokens), expected = run_reference(call);
    const Plan p = plan(call.spec);
    for (int width : {1, 2, 5, 64}) {
      Backward backward(width);
      ASSERT_EQ(difference(expected, run(p, call, DeviceStream::on(backward))), "") << "width " << width;
    }
    ASSERT_EQ(difference(expected, run(p, call, DeviceStream::on(own))), "");
  }
  EXPECT_GT(own.runs, 0) << "301 tokens were not spread over the host's executor";
}

TEST_P(Threads, ManyCallersShareOnePlan) {
  const Call call = call_of(97, Rounding::model('A', 'r')), expected = run_reference(call);
  const Plan shared = plan(call.spec);
  for (int pool : {1, 3}) {
    set_cpu_threads(pool);
    std::vector<std::string> texts(6);
    std::vector<std::thread> callers;
    for (std::string& text : texts)
      callers.emplace_back([&] {
        for (int i = 0; text.empty() && i < 20; ++i) text = difference(expected, run(shared, call));
      });
    for (std::thread& caller : callers) caller.join();
    for (const std::string& text : texts) EXPECT_EQ(text, "");
  }
}

TEST_P(Threads, ThePoolMayBeResizedWhileCallsRun) {
  const Call call = call_of(97), expected = run_reference(call);
  const Plan shared = plan(call.spec);
  std::atomic<bool> done = false;
  std::thread resizer([&] {
    for (int i = 0; !done; ++i) set_cpu_threads(1 + i % 4), std::this_thread::yield();
  });
  std::string text;
  for (int i = 0; text.empty() && i < 100; ++i) text = difference(expected, run(shared, call));
  done = true;
  resizer.join();
  EXPECT_EQ(text, "");
}

TEST(ThreadCount, OutsideOneToAThousandTwentyFourIsRefused) {
  for (int threads : {0, -1, 1025}) EXPECT_THROW(set_cpu_threads(threads), Error);
  EXPECT_GE(cpu_threads(), 1);
}

}  // namespace
}  // namespace ropeline::conformance
