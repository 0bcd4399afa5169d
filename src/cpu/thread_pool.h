#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "ropeline/executor.h"

namespace ropeline::cpu {

/// A pool whose workers spin for some microseconds after a job and then sleep. One job runs at a time; a second caller
/// does its work alone, which for kernels of this size is quicker than waiting. The caller takes indices too and waits
/// only for those that a worker has taken, never for a worker that sleeps. `run` allocates nothing.
class ThreadPool final : public Executor {
 public:
  explicit ThreadPool(int threads) : threads_(threads) {}
  ~ThreadPool() override;

  int width() const noexcept override { return threads_.load(std::memory_order_relaxed); }
  void run(int count, Task task, void* context) override;

  /// Waits for the job that runs, then changes the number of threads. New workers start with the next job.
  void resize(int threads);

 private:
  void start_workers();
  void stop_workers();
  void publish(int count, Task task, void* context);
  void announce();
  void work(std::uint32_t seen);
  void take_indices();
  std::uint32_t next_announcement(std::uint32_t seen);

  std::atomic<int> threads_;  // the caller included
  std::mutex busy_;           // held by the caller whose job runs, and while the workers change
  std::vector<std::thread> workers_;

  // A job. Number and remaining count are one word, so that a worker that comes late cannot take an index of another
  // job: its exchange fails, or it finds nothing left.
  std::atomic<Task> task_{nullptr};
  std::atomic<void*> context_{nullptr};
  alignas(64) std::atomic<std::uint64_t> ticket_{0};  // job number << 32 | indices that nobody has taken
  alignas(64) std::atomic<int> finished_{0};          // indices that are done

  alignas(64) std::atomic<std::uint32_t> announced_{0};  // what sleeping workers wait on: one more for each job
  std::atomic<bool> stopping_{false};
};

}  // namespace ropeline::cpu
