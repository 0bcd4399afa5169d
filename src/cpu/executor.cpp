#include "ropeline/executor.h"

#include <pthread.h>

#include <charconv>
#include <cstdlib>

#include "cpu/share.h"
#include "cpu/thread_pool.h"
#include "env.h"
#include "error.h"

namespace ropeline {
namespace {

constexpr int kMaxThreads = 1024;

bool is_thread_count(int threads) { return threads >= 1 && threads <= kMaxThreads; }

/// ROPELINE_THREADS, or 1: a library does not take cores unasked.
int initial_threads() {
  const auto value = env::threads();
  if (!value) return 1;
  int threads = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), threads);
  require(error == std::errc() && end == value->data() + value->size() && is_thread_count(threads),
          "ROPELINE_THREADS: \"", *value, "\" is not a number from 1 to ", kMaxThreads);
  return threads;
}

cpu::ThreadPool* the_pool = nullptr;

/// The workers of the parent do not exist in a forked child; their handles and locks are left where they lie.
void renew_after_fork() { the_pool = new cpu::ThreadPool(the_pool->width()); }

void stop_at_exit() { the_pool->resize(1); }

/// Leaked on purpose: a static destructor elsewhere may still run a plan. At exit the workers are joined, and later
/// calls stay on their own thread.
cpu::ThreadPool* make_pool() {
  the_pool = new cpu::ThreadPool(initial_threads());
  pthread_atfork(nullptr, nullptr, renew_after_fork);
  std::atexit(stop_at_exit);
  return the_pool;
}

cpu::ThreadPool& pool() {
  static const bool made = make_pool() != nullptr;
  return made ? *the_pool : *make_pool();
}

}  // namespace

Executor& cpu::default_executor() { return pool(); }

int cpu_threads() noexcept try { return pool().width(); } catch (const Error&) {
  return 1;
}

void set_cpu_threads(int threads) {
  require(is_thread_count(threads), "threads: ", threads, " is not from 1 to ", kMaxThreads);
  pool().resize(threads);
}

}  // namespace ropeline
