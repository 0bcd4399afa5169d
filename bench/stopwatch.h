#pragma once

#include <time.h>

namespace ropeline::bench {

/// Seconds on the wall and on this thread's own clock, which stands still while the system runs something else. On a
/// quiet machine they are the same for one thread; where they differ, the machine was busy.
struct Elapsed {
  double wall = 0, thread = 0;
};

class Stopwatch {
 public:
  Elapsed elapsed() const {
    const double wall = now(CLOCK_MONOTONIC);
    return {wall - wall_, now(CLOCK_THREAD_CPUTIME_ID) - thread_};
  }

 private:
  static double now(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

  // The thread's clock takes a system call: it is read first here and last above, outside of the time on the wall.
  double thread_ = now(CLOCK_THREAD_CPUTIME_ID);
  double wall_ = now(CLOCK_MONOTONIC);
};

}  // namespace ropeline::bench
