#include "ropeline/once.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "ropeline/jit.h"

namespace ropeline::jit {
namespace {

TEST(Once, AThousandThreadsMakeOneValue) {
  Once<int, std::string> once;
  std::atomic<int> made = 0, right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 1000; ++i)
    threads.emplace_back([&] {
      right += once.get(7, [&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return ++made, "value";
      }) == "value";
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(right, 1000);
}

TEST(Once, AFailureReachesThoseWhoWaitAndIsForgotten) {
  Once<int, int> once;
  std::atomic<int> failures = 0;
  const auto fail = [&]() -> int {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    throw std::runtime_error("no");
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      try {
        once.get(1, fail);
      } catch (const std::runtime_error&) {
        ++failures;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 8);
  EXPECT_EQ(once.find(1), nullptr);
  EXPECT_EQ(once.get(1, [] { return 5; }), 5);
}

TEST(Once, ValuesStayWhereTheyAre) {
  Once<int, int> once;
  const int* first = &once.get(0, [] { return 0; });
  for (int i = 1; i < 5000; ++i) once.get(i, [i] { return i; });
  EXPECT_EQ(&once.get(0, [] { return 1; }), first);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(*once.find(i), i);
}

TEST(Cached, OncePerArguments) {
  int calls = 0;
  auto sum = cached([&](int a, const std::string& b) { return ++calls, std::to_string(a) + b; });
  EXPECT_EQ(sum(1, "x"), "1x");
  EXPECT_EQ(sum(1, "x"), "1x");
  EXPECT_EQ(sum(2, "x"), "2x");
  EXPECT_EQ(&sum(2, "x"), &sum(2, "x"));
  EXPECT_EQ(calls, 2);
}

TEST(Cached, ManyThreadsAndArgumentsOneCallEach) {
  std::atomic<int> calls = 0, right = 0;
  auto twice = cached([&](int x) { return ++calls, 2 * x; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 64; ++i)
    threads.emplace_back([&] {
      for (int x = 0; x < 100; ++x) right += twice(x) == 2 * x;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 100);
  EXPECT_EQ(right, 6400);
}

TEST(Cached, FailuresAreNotKept) {
  int calls = 0;
  auto once = cached([&](int x) {
    if (++calls == 1) throw std::runtime_error("not yet");
    return x;
  });
  EXPECT_THROW(once(3), std::runtime_error);
  EXPECT_EQ(once(3), 3);
}

}  // namespace
}  // namespace ropeline::jit
