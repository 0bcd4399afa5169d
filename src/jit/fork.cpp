// What a fork in the middle of things must not break: the lock of every Once, and the compiler.

#include "fork.h"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "ropeline/jit.h"

namespace ropeline::jit {
namespace {

// Leaked on purpose: threads may still be at work when static objects are destroyed.
struct State {
  std::mutex once;
  std::atomic<unsigned> generation = 0;
  std::mutex compiling;
  std::condition_variable none_compiling;
  int compiles = 0;
  bool compiler_broken = false;
};

State& state();

void before_fork() {
  std::unique_lock compiling(state().compiling);
  state().none_compiling.wait_for(compiling, std::chrono::seconds(1), [] { return state().compiles == 0; });
  compiling.release();
  state().once.lock();
}

void after_fork_in_parent() {
  state().once.unlock();
  state().compiling.unlock();
}

void after_fork_in_child() {
  State& s = state();
  s.generation.fetch_add(1);
  if (s.compiles > 0) s.compiler_broken = true;
  s.compiles = 0;
  new (&s.none_compiling) std::condition_variable;  // its waiters stayed behind
  after_fork_in_parent();
}

State& state() {
  static State* const made = [] {
    State* s = new State;
    return s;
  }();
  static const int registered = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  (void)registered;
  return *made;
}

void count(int change) {
  const std::lock_guard lock(state().compiling);
  if ((state().compiles += change) == 0) state().none_compiling.notify_all();
}

}  // namespace

namespace detail {

std::unique_lock<std::mutex> hold_once() { return std::unique_lock(state().once); }

unsigned generation() noexcept { return state().generation.load(std::memory_order_relaxed); }

}  // namespace detail

CompileSection::CompileSection() { count(1); }
CompileSection::CompileSection(const CompileSection&) { count(1); }
CompileSection::~CompileSection() { count(-1); }

void check_compiler_survived_fork() {
  const std::lock_guard lock(state().compiling);
  if (state().compiler_broken)
    throw Error(
        ErrorKind::unavailable,
        {Stage::compiler, "this process was forked in the middle of a compile", "fork earlier, or spawn", {}, {}});
}

}  // namespace ropeline::jit
