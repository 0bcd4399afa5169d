#include "cpu/qk_norm_rope.h"

#include "cpu/loops.h"
#include "cpu/share.h"

namespace ropeline::cpu {
namespace {

struct Call {
  const Lowered& op;
  TokenLoop loop;
  const QkNormRopeParams& params;
};

void run_tokens(const void* context, std::int64_t begin, std::int64_t end) {
  const Call& call = *static_cast<const Call*>(context);
  call.loop(call.op, call.params, begin, end);
}

class LoweredProgram final : public DeviceProgram<QkNormRopeParams> {
 public:
  LoweredProgram(const Spec& spec, CpuTarget target)
      : op_(lowered(spec)), loop_(target == CpuTarget::scalar ? run_scalar : simd_loop(target, op_)) {}

  void run(const QkNormRopeParams& params, DeviceStream stream) const override {
    const Call call{op_, loop_, params};
    const std::int64_t elements = std::int64_t{op_.q.heads + op_.k.heads} * op_.head_dim;
    share(&call, run_tokens, params.batches * params.tokens, elements, stream);
  }

 private:
  Lowered op_;
  TokenLoop loop_;
};

}  // namespace

std::unique_ptr<const DeviceProgram<QkNormRopeParams>> lower(const Spec& spec, CpuTarget target) {
  return std::make_unique<LoweredProgram>(spec, target);
}

}  // namespace ropeline::cpu
