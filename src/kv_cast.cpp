// The plan of the op: its contract (src/ops), its CPU program and its CUDA program joined.

#include "ropeline/kv_cast.h"

#include "cpu/kv_cast.h"
#include "cuda/kv_cast.h"
#include "ops/kv_cast.h"
#include "plan_of.h"

namespace ropeline {
namespace op = ops::kv_cast;

template <>
struct OpOf<KvCastSpec> {
  using Args = KvCastArgs;
  using Params = KvCastParams;
  struct Contract {
    Contract(const KvCastSpec& s, Device d) : spec(s), device(d) {}  // the spec is a few numbers already
    KvCastSpec spec;
    Device device;
  };

  static void check(const KvCastSpec& spec) { op::check(spec); }
  static std::string unsupported(const KvCastSpec&) { return {}; }
  static void check(const Contract& contract, const Args& args) { op::check(contract.spec, contract.device, args); }
  static Params params(const Args& args) { return op::params(args); }
  static bool is_empty(const Params& params) { return params.tokens == 0 || params.locs == 0; }
  static auto cpu(const KvCastSpec& spec, CpuTarget target) { return cpu::kv_cast::program(spec, target); }
  static auto cuda(const KvCastSpec& spec, int device) { return cuda::kv_cast::program(spec, device); }
  static jit::Source source(const KvCastSpec& spec) { return cuda::kv_cast::source(spec); }
};

template class PlanOf<KvCastSpec, KvCastArgs>;

Support supports(const KvCastSpec& spec, Device device) noexcept { return plan::supports(spec, device); }

KvCastPlan prepare(const KvCastSpec& spec, Device device) { return plan::prepare(spec, device); }

KvCastPrepareResult try_prepare(const KvCastSpec& spec, Device device) noexcept {
  return plan::try_prepare(spec, device);
}

jit::Source kernel_source(const KvCastSpec& spec) { return plan::kernel_source(spec); }

}  // namespace ropeline
