// The torch op kv_cast. Its spec follows from its tensors, so there is nothing to register. The fake kernel is Python's
// (ropeline/kv_cast.py).

#include "ropeline/kv_cast.h"

#include <algorithm>

#include "device_plans.h"
#include "execute.h"
#include "ops/kv_cast.h"
#include "python_errors.h"
#include "tensors.h"

namespace ropeline::binding {
namespace {

struct Hash {
  std::size_t operator()(const KvCastSpec& spec) const {
    std::uint64_t mixed = 0;
    for (const int field : {spec.heads, spec.head_dim, static_cast<int>(spec.input), static_cast<int>(spec.loc)})
      mixed = (mixed ^ static_cast<std::uint64_t>(field)) * 0x9e3779b97f4a7c15u, mixed ^= mixed >> 29;
    return mixed;
  }
};

using Plans = DevicePlans<KvCastSpec, KvCastPlan, Hash>;

/// The layer's spec is in its tensors. One plan takes every alignment: no call of the layer finds it wanting.
KvCastSpec spec_of(const KvCastArgs& args) {
  const TensorView& k = args.k;
  require(k.rank == 3, "k: rank ", k.rank, " must be 3 [T, H, D]");
  require(k.dtype == DType::bf16 || k.dtype == DType::fp16, "k: dtype ", name_of(k.dtype), " must be bf16 or fp16");
  require(args.v.dtype == k.dtype, "v: dtype ", name_of(args.v.dtype), " differs from k's ", name_of(k.dtype));
  require(args.loc.dtype == DType::int32 || args.loc.dtype == DType::int64, "loc: dtype ", name_of(args.loc.dtype),
          " must be int32 or int64");
  const auto int_of = [](std::int64_t n) { return static_cast<int>(std::min<std::int64_t>(n, INT32_MAX)); };
  return {.heads = int_of(k.shape[1]),
          .head_dim = int_of(k.shape[2]),
          .input = k.dtype,
          .loc = args.loc.dtype,
          .alignment = 2};
}

/// What a spec may not be is, here, what k may not be.
void check_shape(const KvCastSpec& spec) try { ops::kv_cast::check(spec); } catch (const Error& error) {
  throw Error(error.kind(), text("k: ", error.what()));
}

std::string how_to_prepare(const KvCastSpec& spec, Device device) {
  return text("ropeline.prepare_kv_cast(", spec.heads, ", ", spec.head_dim, ", \"", to_string(device), "\"",
              spec.input == DType::fp16 ? ", dtype=torch.float16" : "",
              spec.loc == DType::int32 ? ", loc_dtype=torch.int32" : "", ")");
}

/// A call that is wrong is refused before anything is compiled for it.
const KvCastPlan& plan_of(const KvCastSpec& spec, Device device, const KvCastArgs& args) {
  if (const KvCastPlan* plan = Plans::all().find(spec, device)) return *plan;
  check_shape(spec);
  ops::kv_cast::check(spec, device, args);
  refuse_while_capturing(device, text("kv_cast: ", spec.json()), how_to_prepare(spec, device));
  return Plans::all().get(spec, device, [&] { return prepare(spec, device); });
}

struct Call {
  Tensor k, v, k_cache, v_cache, k_scale, v_scale, loc;
  std::int64_t mult, offset;

  explicit Call(const StableIValue* stack)
      : k(take(stack[0])),
        v(take(stack[1])),
        k_cache(take(stack[2])),
        v_cache(take(stack[3])),
        k_scale(take(stack[4])),
        v_scale(take(stack[5])),
        loc(take(stack[6])),
        mult(torch::stable::detail::to<std::int64_t>(stack[7])),
        offset(torch::stable::detail::to<std::int64_t>(stack[8])) {}

  KvCastArgs args() const {
    return {.k = view(k, "k"),
            .v = view(v, "v"),
            .k_cache = view_of_codes(k_cache, "k_cache"),
            .v_cache = view_of_codes(v_cache, "v_cache"),
            .k_scale = view(k_scale, "k_scale"),
            .v_scale = view(v_scale, "v_scale"),
            .loc = view(loc, "loc"),
            .mult = mult,
            .offset = offset};
  }
};

void run_kv_cast(StableIValue* stack, std::uint64_t, std::uint64_t) {
  const Call call(stack);
  with_python_errors([&] {
    const KvCastArgs args = call.args();
    const KvCastPlan& plan = plan_of(spec_of(args), args.k.device, args);
    plan.check(args);  // a call that is refused has written nothing, and says so by the version
    announce_write(call.k_cache, "k_cache"), announce_write(call.v_cache, "v_cache");
    plan.run(args, torch_stream(args.k.device));
  });
}

}  // namespace
}  // namespace ropeline::binding

// One more expansion, so that the namespace can come from the command line.
#define ROPELINE_FRAGMENT(ns, m) STABLE_TORCH_LIBRARY_FRAGMENT(ns, m)
#define ROPELINE_LIBRARY_IMPL(ns, key, m) STABLE_TORCH_LIBRARY_IMPL(ns, key, m)

ROPELINE_FRAGMENT(ROPELINE_TORCH_NAMESPACE, m) {
  m.def(
      "kv_cast(Tensor k, Tensor v, Tensor(a!) k_cache, Tensor(b!) v_cache, Tensor k_scale, Tensor v_scale, Tensor loc, "
      "int mult=1, int offset=0) -> ()");
}

// One implementation for both: a call runs where its first tensor is.
ROPELINE_LIBRARY_IMPL(ROPELINE_TORCH_NAMESPACE, CPU, m) { m.impl("kv_cast", &ropeline::binding::run_kv_cast); }

ROPELINE_LIBRARY_IMPL(ROPELINE_TORCH_NAMESPACE, CUDA, m) { m.impl("kv_cast", &ropeline::binding::run_kv_cast); }
