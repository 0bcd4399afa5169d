#include "cuda/kv_cast.h"

#include <algorithm>

#include "cuda/context.h"
#include "cuda/preparing.h"
#include "ops/kv_cast_launch.h"

namespace ropeline::cuda::kv_cast {
namespace {

namespace op = ops::kv_cast;

// The device is current while it is made.
class KernelProgram final : public DeviceProgram<KvCastParams> {
 public:
  KernelProgram(const KvCastSpec& spec, int device)
      : spec_(spec), variants_(op::variants(spec)), kernels_(source(spec), device) {}

  [[gnu::hot]] void run(const KvCastParams& params, DeviceStream stream) const override {
    if (params.tokens <= op::most_tokens) return launch(params, stream.cuda);
    for (std::int64_t first = 0; first < params.tokens; first += op::most_tokens)
      launch(op::tokens_of(params, spec_, first, std::min(params.tokens - first, op::most_tokens)), stream.cuda);
  }

 private:
  [[gnu::hot]] void launch(const KvCastParams& params, void* stream) const {
    const int form = op::choose(spec_, variants_, params, kernels_.multiprocessors());
    const op::Launch l = op::launch(variants_[form], params.tokens);
    kernels_.launch(form, l.grid, l.block, stream, params);
  }

  KvCastSpec spec_;
  std::vector<kernel::KvCastVariant> variants_;
  PlanKernels kernels_;  // one for each variant
};

}  // namespace

jit::Source source(const KvCastSpec& spec) {
  return source_of("kv_cast", op::kernel_file, op::variants(spec), op::kernel_name);
}

std::unique_ptr<const DeviceProgram<KvCastParams>> program(const KvCastSpec& spec, int device) {
  const Preparing preparing("kv_cast", device);
  return std::make_unique<KernelProgram>(spec, device);
}

}  // namespace ropeline::cuda::kv_cast
