// On a GPU the kernel is queued where torch queues its own. On a CPU the work is spread over PyTorch's own threads:
// after a matrix product they spin on their cores for a while, and a second pool would share the cores with them.

#include "execute.h"

#include "ropeline/error.h"
#include "ropeline/executor.h"
#include "stream.h"
#include "torch/csrc/inductor/aoti_torch/c/shim.h"

// Of torch's stable C ABI since 2.10; null under 2.9, where the library's own pool works.
extern "C" __attribute__((weak)) AOTITorchError torch_parallel_for(std::int64_t begin, std::int64_t end,
                                                                   std::int64_t grain,
                                                                   void (*body)(std::int64_t, std::int64_t, void*),
                                                                   void* context);

namespace ropeline::binding {
namespace {

class TorchThreads final : public Executor {
 public:
  int width() const noexcept override { return cpu_threads(); }

  void run(int count, Task task, void* context) override {
    Job job{task, context};
    if (torch_parallel_for(0, count, 1, run_range, &job) != AOTI_TORCH_SUCCESS)
      throw Error(ErrorKind::internal, "torch: parallel_for failed");
  }

 private:
  struct Job {
    Task task;
    void* context;
  };

  static void run_range(std::int64_t begin, std::int64_t end, void* job) {
    const auto [task, context] = *static_cast<Job*>(job);
    for (std::int64_t i = begin; i < end; ++i) task(context, static_cast<int>(i));
  }
};

}  // namespace

DeviceStream torch_stream(Device device) {
  static TorchThreads threads;
  if (device.kind == Device::Kind::cuda) return {.cuda = current_stream(device.index)};
  return torch_parallel_for ? DeviceStream::on(threads) : DeviceStream{};
}

void execute(const Plan& plan, const Args& args) { plan.run(args, torch_stream(plan.device())); }

}  // namespace ropeline::binding
