// The torch ops: three schemas over one `execute`. Fake kernels and gradients are Python's (ropeline/ops.py).

#include "error.h"
#include "execute.h"
#include "python_errors.h"
#include "registry.h"
#include "tensors.h"

namespace ropeline::binding {
namespace {

#define ROPELINE_PARAMETERS \
  "Tensor? q_weight, Tensor? k_weight, Tensor? positions, Tensor? cos, Tensor? sin, Tensor? cos_sin_cache, int spec"

// The arguments that every schema ends with, in the order of ROPELINE_PARAMETERS.
class Parameters {
 public:
  static constexpr int count = 7;

  explicit Parameters(const StableIValue* stack)
      : q_weight_(take_optional(stack[0])),
        k_weight_(take_optional(stack[1])),
        positions_(take_optional(stack[2])),
        cos_(take_optional(stack[3])),
        sin_(take_optional(stack[4])),
        cos_sin_cache_(take_optional(stack[5])),
        spec_(torch::stable::detail::to<std::int64_t>(stack[6])) {}

  const Plan& plan(Device device) const { return plan_of(spec_, device); }

  Args args() const {
    Args args;
    args.q_weight = view(q_weight_, "q_weight");
    args.k_weight = view(k_weight_, "k_weight");
    args.positions = view(positions_, "positions");
    args.cos = view(cos_, "cos");
    args.sin = view(sin_, "sin");
    args.cos_sin_cache = view(cos_sin_cache_, "cos_sin_cache");
    return args;
  }

 private:
  Tensor q_weight_, k_weight_, positions_, cos_, sin_, cos_sin_cache_;
  std::int64_t spec_;
};

// q and k of the schemas that take them apart, and whether they are [.., H, T, D].
struct Separate {
  Tensor q, k;
  Parameters parameters;
  bool heads_first;

  explicit Separate(const StableIValue* stack)
      : q(take(stack[0])),
        k(take(stack[1])),
        parameters(stack + 2),
        heads_first(torch::stable::detail::to<bool>(stack[2 + Parameters::count])) {}

  TensorView seen(const Tensor& tensor, const char* name) const {
    require(is_defined(tensor), name, ": missing; one stream alone goes packed, through qk_norm_rope_");
    return heads_first ? tokens_first(view(tensor, name)) : view(tensor, name);
  }

  const char* note() const { return heads_first ? " (heads_first: this is said of [B, T, H, D])" : ""; }

  Args args() const {
    Args args = parameters.args();
    args.q = seen(q, "q");
    args.k = seen(k, "k");
    return args;
  }
};

void run_packed(StableIValue* stack, std::uint64_t, std::uint64_t) {
  const Tensor qkv = take(stack[0]);
  const Parameters parameters(stack + 1);
  with_python_errors([&] {
    const TensorView all = view(qkv, "qkv");
    const Plan& plan = parameters.plan(all.device);
    Args args = parameters.args();
    const Packed packed = unpack(all, plan.spec());
    args.q = packed.q, args.k = packed.k;
    plan.check(args);  // a call that is refused has written nothing, and says so by the version
    announce_write(qkv, "qkv");
    execute(plan, args);
  });
}

void run_separate(StableIValue* stack, std::uint64_t, std::uint64_t) {
  const Separate call(stack);
  const auto run = [&] {
    const Args args = call.args();
    const Plan& plan = call.parameters.plan(args.q.device);
    plan.check(args);
    announce_write(call.q, "q"), announce_write(call.k, "k");
    execute(plan, args);
  };
  with_python_errors(run, call.note());
}

void run_functional(StableIValue* stack, std::uint64_t, std::uint64_t) {
  const Separate call(stack);
  const auto run = [&] {
    Args args = call.args();
    const Plan& plan = call.parameters.plan(args.q.device);
    Tensor q_out = empty_like(call.q), k_out = empty_like(call.k);
    args.q_out = call.seen(q_out, "q_out"), args.k_out = call.seen(k_out, "k_out");
    execute(plan, args);
    stack[0] = torch::stable::detail::from(q_out.release());
    stack[1] = torch::stable::detail::from(k_out.release());
  };
  with_python_errors(run, call.note());
}

}  // namespace
}  // namespace ropeline::binding

// One more expansion, so that the namespace can come from the command line.
#define ROPELINE_LIBRARY(ns, m) STABLE_TORCH_LIBRARY(ns, m)
#define ROPELINE_LIBRARY_IMPL(ns, key, m) STABLE_TORCH_LIBRARY_IMPL(ns, key, m)

ROPELINE_LIBRARY(ROPELINE_TORCH_NAMESPACE, m) {
  m.def("qk_norm_rope_(Tensor(a!) qkv, " ROPELINE_PARAMETERS ") -> ()");
  m.def("qk_norm_rope_sep_(Tensor(a!) q, Tensor(b!) k, " ROPELINE_PARAMETERS ", bool heads_first=False) -> ()");
  m.def("qk_norm_rope(Tensor q, Tensor k, " ROPELINE_PARAMETERS ", bool heads_first=False) -> (Tensor, Tensor)");
}

// One implementation for both: a call runs where its first tensor is.
ROPELINE_LIBRARY_IMPL(ROPELINE_TORCH_NAMESPACE, CPU, m) {
  m.impl("qk_norm_rope_", &ropeline::binding::run_packed);
  m.impl("qk_norm_rope_sep_", &ropeline::binding::run_separate);
  m.impl("qk_norm_rope", &ropeline::binding::run_functional);
}

ROPELINE_LIBRARY_IMPL(ROPELINE_TORCH_NAMESPACE, CUDA, m) {
  m.impl("qk_norm_rope_", &ropeline::binding::run_packed);
  m.impl("qk_norm_rope_sep_", &ropeline::binding::run_separate);
  m.impl("qk_norm_rope", &ropeline::binding::run_functional);
}
