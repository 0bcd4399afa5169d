#include "cpu/thread_pool.h"

#include <chrono>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ropeline::cpu {
namespace {

/// A worker that has just worked expects the next layer's call soon; one that has waited this long sleeps.
constexpr std::chrono::microseconds kSpin{50};
constexpr int kPausesPerLook = 32;  // between looks at the clock

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Waiting for another thread's last index: soon there, unless the system has taken its core away.
void wait_a_little(int looks) {
  if (looks < 2000) return pause();
  std::this_thread::yield();
}

}  // namespace

ThreadPool::~ThreadPool() { stop_workers(); }

void ThreadPool::run(int count, Task task, void* context) {
  std::unique_lock lock(busy_, std::try_to_lock);
  if (!lock || width() == 1 || count <= 1) {
    for (int i = 0; i < count; ++i) task(context, i);
    return;
  }
  if (workers_.empty()) start_workers();
  publish(count, task, context);
  take_indices();
  for (int looks = 0; finished_.load(std::memory_order_acquire) != count; ++looks) wait_a_little(looks);
}

void ThreadPool::resize(int threads) {
  const std::lock_guard lock(busy_);
  if (threads == width()) return;
  stop_workers();
  threads_.store(threads, std::memory_order_relaxed);
}

void ThreadPool::start_workers() {
  const std::uint32_t seen = announced_.load(std::memory_order_relaxed);
  for (int i = 1; i < width(); ++i) workers_.emplace_back([this, seen] { work(seen); });
}

void ThreadPool::stop_workers() {
  stopping_.store(true, std::memory_order_relaxed);
  announce();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  stopping_.store(false, std::memory_order_relaxed);
}

void ThreadPool::publish(int count, Task task, void* context) {
  task_.store(task, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  finished_.store(0, std::memory_order_relaxed);
  const std::uint64_t number = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(number << 32 | static_cast<std::uint32_t>(count), std::memory_order_release);
  announce();
}

void ThreadPool::announce() {
  announced_.fetch_add(1, std::memory_order_release);
  announced_.notify_all();
}

void ThreadPool::work(std::uint32_t seen) {
  for (;;) {
    seen = next_announcement(seen);
    if (stopping_.load(std::memory_order_relaxed)) return;
    take_indices();
  }
}

void ThreadPool::take_indices() {
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(ticket) != 0) {
    const Task task = task_.load(std::memory_order_relaxed);
    void* context = context_.load(std::memory_order_relaxed);
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acquire)) continue;
    task(context, static_cast<int>(static_cast<std::uint32_t>(ticket)) - 1);
    finished_.fetch_add(1, std::memory_order_release);
    ticket = ticket_.load(std::memory_order_acquire);
  }
}

std::uint32_t ThreadPool::next_announcement(std::uint32_t seen) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      const std::uint32_t now = announced_.load(std::memory_order_acquire);
      if (now != seen) return now;
      pause();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  announced_.wait(seen, std::memory_order_acquire);
  return announced_.load(std::memory_order_acquire);
}

}  // namespace ropeline::cpu
