// The plan of the op: its contract (src/ops), its CPU program and its CUDA program joined.

#include "cuda/qk_norm_rope.h"

#include "cpu/qk_norm_rope.h"
#include "ops/qk_norm_rope.h"
#include "plan_of.h"
#include "ropeline/kernel_source.h"
#include "ropeline/plan.h"

namespace ropeline {
namespace op = ops::qk_norm_rope;

template <>
struct OpOf<Spec> {
  using Args = ropeline::Args;
  using Params = QkNormRopeParams;
  using Contract = op::Contract;

  static void check(const Spec& spec) { op::check(spec); }
  static std::string unsupported(const Spec& spec) { return op::unsupported(spec); }
  static void check(const Contract& contract, const Args& args) { op::check(contract, args); }
  static Params params(const Args& args) { return op::params(args); }
  static bool is_empty(const Params& params) { return params.batches == 0 || params.tokens == 0; }
  static auto cpu(const Spec& spec, CpuTarget target) { return cpu::lower(spec, target); }
  static auto cuda(const Spec& spec, int device) { return cuda::qk_norm_rope::program(spec, device); }
  static jit::Source source(const Spec& spec) { return cuda::qk_norm_rope::source(spec); }
};

template class PlanOf<Spec, Args>;

Support supports(const Spec& spec, Device device) noexcept { return plan::supports(spec, device); }

Plan prepare(const Spec& spec, Device device) { return plan::prepare(spec, device); }

PrepareResult try_prepare(const Spec& spec, Device device) noexcept { return plan::try_prepare(spec, device); }

jit::Source kernel_source(const Spec& spec) { return plan::kernel_source(spec); }

}  // namespace ropeline
