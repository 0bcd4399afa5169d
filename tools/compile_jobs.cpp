#include "tools/compile_jobs.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <new>

#include "ropeline/error.h"

namespace ropeline::tools {
namespace {

// What a process says of a program. Shorter than PIPE_BUF, so that the lines of several processes do not mix.
struct Report {
  std::size_t index;
  double milliseconds;
};

/// The number of the next program, shared by all processes.
class Queue {
 public:
  Queue() {
    void* memory = mmap(nullptr, sizeof *next_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    next_ = new (memory) std::atomic<std::size_t>(0);
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { munmap(next_, sizeof *next_); }
  std::size_t take() { return (*next_)++; }

 private:
  std::atomic<std::size_t>* next_;
};

// Ends with its parent: nobody else holds the pipe's other end.
[[noreturn]] void work(const std::vector<Wanted>& programs, Queue& queue, int reports) {
  for (std::size_t i; (i = queue.take()) < programs.size();) try {
      const jit::Build build = jit::build(programs[i].source, {.architecture = programs[i].architecture});
      const Report report{i, build.milliseconds};
      if (write(reports, &report, sizeof report) != sizeof report) break;
    } catch (const std::exception&) {
      break;  // the parent meets the same error
    }
  _exit(0);
}

bool next(int reports, Report& report) {
  ssize_t bytes;
  do bytes = read(reports, &report, sizeof report);
  while (bytes < 0 && errno == EINTR);
  return bytes == sizeof report;
}

}  // namespace

void compile_jobs(const std::vector<Wanted>& programs, int jobs, const std::function<void(std::size_t, double)>& done) {
  int ends[2];
  if (pipe(ends) != 0) throw Error(ErrorKind::unavailable, "no pipe for the compiling processes");
  Queue queue;
  std::vector<pid_t> children;
  for (int i = 0; i < std::min<int>(jobs, static_cast<int>(programs.size())); ++i) {
    const pid_t child = fork();
    if (child == 0) close(ends[0]), work(programs, queue, ends[1]);
    if (child > 0) children.push_back(child);
  }
  close(ends[1]);
  for (Report report; next(ends[0], report);) done(report.index, report.milliseconds);
  close(ends[0]);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
}

}  // namespace ropeline::tools
