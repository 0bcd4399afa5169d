#include "cuda/qk_norm_rope.h"

#include <algorithm>

#include "cuda/context.h"
#include "cuda/preparing.h"
#include "error.h"
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
        device_(device),
        context_(current_context()),
        multiprocessors_(facts(device).multiprocessors),
        variants_(op::variants(spec)),
        kernels_(load_kernels(source(spec))),
        turns_(uploaded(op::frequency_table(spec), device)),
        angles_{static_cast<const Turns*>(turns_.data()), op::attention_factor(spec)} {}

  [[gnu::hot]] void run(const QkNormRopeParams& params, DeviceStream stream) const override {
    const CurrentDevice current(device_, context_);
    const QkNormRopeParams all = op::merged(params);
    require(all.tokens <= INT32_MAX, "tokens: ", all.tokens, " exceed the ", INT32_MAX, " of a launch");
    if (all.batches <= op::most_batches) return launch(all, stream.cuda);
    for (std::int64_t first = 0; first < all.batches; first += op::most_batches)
      launch(op::batches_of(all, spec_, first, std::min(all.batches - first, op::most_batches)), stream.cuda);
  }

 private:
  void launch(const QkNormRopeParams& params, void* stream) const {
    const op::Launch l = op::launch(spec_, variants_, params, angles_, multiprocessors_);
    kernels_[l.variant].launch({.grid = dim3(l.grid), .block = dim3(l.block), .stream = stream}, l.argument);
  }

  Spec spec_;
  int device_;
  Context context_;  // where the kernels were loaded
  int multiprocessors_;
  std::vector<kernel::Variant> variants_;
  std::vector<jit::Kernel> kernels_;  // one for each variant
  DeviceMemory turns_;
  op::LaunchAngles angles_;
};

}  // namespace

jit::Source source(const Spec& spec) {
  jit::Source source{.name = "qk_norm_rope.cu", .text = text("#include \"", op::kernel_file, "\"\n"), .kernels = {}};
  for (const kernel::Variant& variant : op::variants(spec)) source.kernels.push_back(op::kernel_name(variant));
  return source;
}

std::unique_ptr<const DeviceProgram<QkNormRopeParams>> program(const Spec& spec, int device) {
  const Preparing preparing("qk_norm_rope", device);
  return std::make_unique<KernelProgram>(spec, device);
}

}  // namespace ropeline::cuda::qk_norm_rope
