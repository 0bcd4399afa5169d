#include "cuda/qk_norm_rope.h"

#include <algorithm>

#include "cuda/context.h"
#include "cuda/preparing.h"
#include "error.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/device_memory.h"

namespace ropeline::cuda::qk_norm_rope {
namespace {

namespace op = ops::qk_norm_rope;

DeviceMemory uploaded(const std::vector<Turns>& table, int device) {
  DeviceMemory memory(table.size() * sizeof(Turns), device);
  memory.upload(table.data());
  return memory;
}

// The device is current while it is made.
class KernelProgram final : public DeviceProgram<QkNormRopeParams> {
 public:
  KernelProgram(const Spec& spec, int device)
      : spec_(spec),
        kernels_(source(spec), device),
        turns_(uploaded(op::frequency_table(spec), device)),
        rule_(op::variants(spec), kernels_.multiprocessors()),
        argument_(spec, {static_cast<const Turns*>(turns_.data()), op::attention_factor(spec)}) {}

  [[gnu::hot]] void run(const QkNormRopeParams& params, DeviceStream stream) const override {
    params.batches == 1 ? launch(params, stream.cuda) : launch_batches(params, stream.cuda);
  }

 private:
  [[gnu::noinline]] void launch_batches(const QkNormRopeParams& call, void* stream) const {
    const QkNormRopeParams params = op::merged(call);
    if (params.batches <= op::most_batches) return launch(params, stream);
    for (std::int64_t first = 0; first < params.batches; first += op::most_batches)
      launch(op::batches_of(params, spec_, first, std::min(params.batches - first, op::most_batches)), stream);
  }

  [[gnu::hot]] void launch(const QkNormRopeParams& params, void* stream) const {
    require(params.tokens <= INT32_MAX, "tokens: ", params.tokens, " exceed the ", INT32_MAX, " of a launch");
    const op::Launch l = rule_(params);
    kernels_.launch(l.variant, l.grid, l.block, stream, argument_.of(params));
  }

  Spec spec_;
  PlanKernels kernels_;  // one for each variant
  DeviceMemory turns_;
  op::LaunchRule rule_;
  op::Argument argument_;
};

}  // namespace

jit::Source source(const Spec& spec) {
  return source_of("qk_norm_rope", op::kernel_file, op::variants(spec), op::kernel_name);
}

std::unique_ptr<const DeviceProgram<QkNormRopeParams>> program(const Spec& spec, int device) {
  const Preparing preparing("qk_norm_rope", device);
  return std::make_unique<KernelProgram>(spec, device);
}

}  // namespace ropeline::cuda::qk_norm_rope
