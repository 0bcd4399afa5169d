#include "cpu/program.h"

#include <algorithm>

#include "cpu/loops.h"
#include "float_mode.h"

namespace ropeline::cpu {
namespace {

/// Elements that are worth another thread: about four microseconds of work, several times what waking one costs.
constexpr std::int64_t kElementsPerThread = 32 * 1024;

/// A call cut into parts of whole tokens, as even as possible. Tokens do not meet, so the cut changes no bit.
struct Call {
  const Lowered& op;
  TokenLoop loop;
  const QkNormRopeParams& params;
  std::int64_t tokens;
  std::int64_t parts;
};

void run_part(void* context, int part) {
  const Call& call = *static_cast<const Call*>(context);
  const FloatMode mode;
  call.loop(call.op, call.params, call.tokens * part / call.parts, call.tokens * (part + 1) / call.parts);
}

class LoweredProgram final : public DeviceProgram<QkNormRopeParams> {
 public:
  LoweredProgram(const Spec& spec, CpuTarget target)
      : op_(lowered(spec)), loop_(target == CpuTarget::scalar ? run_scalar : simd_loop(target, op_)) {}

  void run(const QkNormRopeParams& params, DeviceStream stream) const override {
    Executor& executor = stream.executor ? *stream.executor : default_executor();
    const std::int64_t tokens = params.batches * params.tokens;
    Call call{op_, loop_, params, tokens, parts(tokens, executor)};
    if (call.parts == 1) return run_part(&call, 0);
    executor.run(static_cast<int>(call.parts), run_part, &call);
  }

 private:
  std::int64_t parts(std::int64_t tokens, Executor& executor) const {
    const std::int64_t elements = tokens * (op_.q.heads + op_.k.heads) * op_.head_dim;
    if (elements < 2 * kElementsPerThread) return 1;
    return std::clamp<std::int64_t>(executor.width(), 1, std::min(tokens, elements / kElementsPerThread));
  }

  Lowered op_;
  TokenLoop loop_;
};

}  // namespace

std::unique_ptr<const DeviceProgram<QkNormRopeParams>> lower(const Spec& spec, CpuTarget target) {
  return std::make_unique<LoweredProgram>(spec, target);
}

}  // namespace ropeline::cpu
