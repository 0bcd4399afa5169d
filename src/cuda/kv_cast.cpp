#include "cuda/kv_cast.h"

#include <algorithm>

#include "cuda/context.h"
#include "cuda/preparing.h"
#include "error.h"
#include "ops/kv_cast_launch.h"

namespace ropeline::cuda::kv_cast {
namespace {

namespace op = ops::kv_cast;

// The device is current while it is made.
class KernelProgram final : public DeviceProgram<KvCastParams> {
 public:
  KernelProgram(const KvCastSpec& spec, int device)
      : spec_(spec),
        device_(device),
        context_(current_context()),
        multiprocessors_(facts(device).multiprocessors),
        variants_(op::variants(spec)),
        kernels_(load_kernels(source(spec))) {}

  [[gnu::hot]] void run(const KvCastParams& params, DeviceStream stream) const override {
    const CurrentDevice current(device_, context_);
    for (std::int64_t first = 0; first < params.tokens; first += op::most_tokens)
      launch(op::tokens_of(params, spec_, first, std::min(params.tokens - first, op::most_tokens)), stream.cuda);
  }

 private:
  void launch(const KvCastParams& params, void* stream) const {
    const int form = op::choose(spec_, variants_, params, multiprocessors_);
    const op::Launch l = op::launch(variants_[form], params.tokens);
    kernels_[form].launch({.grid = dim3(l.grid), .block = dim3(l.block), .stream = stream}, params);
  }

  KvCastSpec spec_;
  int device_;
  Context context_;  // where the kernels were loaded
  int multiprocessors_;
  std::vector<kernel::KvCastVariant> variants_;
  std::vector<jit::Kernel> kernels_;  // one for each variant
};

}  // namespace

jit::Source source(const KvCastSpec& spec) {
  jit::Source source{.name = "kv_cast.cu", .text = text("#include \"", op::kernel_file, "\"\n"), .kernels = {}};
  for (const kernel::KvCastVariant& variant : op::variants(spec)) source.kernels.push_back(op::kernel_name(variant));
  return source;
}

std::unique_ptr<const DeviceProgram<KvCastParams>> program(const KvCastSpec& spec, int device) {
  const Preparing preparing("kv_cast", device);
  return std::make_unique<KernelProgram>(spec, device);
}

}  // namespace ropeline::cuda::kv_cast
