// The torch op kv_cast. Its spec follows from its tensors, so there is nothing to register. The fake kernel is Python's
// (ropeline/kv_cast.py).

#include "ropeline/kv_cast.h"

#include "cuda/context.h"
#include "execute.h"
#include "python_errors.h"
#include "ropeline/once.h"
#include "stream.h"
#include "tensors.h"

namespace ropeline::binding {
namespace {

struct Key {
  KvCastSpec spec;
  int device;  // a CUDA device, or -1
  auto operator<=>(const Key&) const = default;
};

struct Hash {
  std::size_t operator()(const Key& key) const {
    const auto& [heads, head_dim, input, slots, alignment] = key.spec;
    return static_cast<std::size_t>(heads * 31 + head_dim + 7 * alignment + 3 * static_cast<int>(input) +
                                    5 * static_cast<int>(slots) + key.device);
  }
};

using Plans = jit::Once<Key, KvCastPlan, Hash>;

// Leaked on purpose, so that an op that runs while the process exits finds its plan.
Plans& plans() {
  static auto* const only = new Plans;
  return *only;
}

void refuse_while_capturing(Device device) {
  if (device.kind != Device::Kind::cuda) return;
  const cuda::CurrentDevice current(device.index);
  if (!cuda::is_capturing(current_stream(device.index))) return;
  throw Error(ErrorKind::unavailable,
              text("kv_cast: not prepared for tensors of this kind on ", to_string(device),
                   ", which a stream that is being captured into a graph does not allow; call the op once before the "
                   "capture"));
}

const KvCastPlan& plan_of(const KvCastSpec& spec, Device device) {
  const Key key{spec, device.kind == Device::Kind::cuda ? device.index : -1};
  if (const KvCastPlan* plan = plans().find(key)) return *plan;
  refuse_while_capturing(device);
  return plans().get(key, [&] { return prepare(spec, device); });
}

bool is_aligned(const TensorView& view, int bytes) {
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % bytes == 0;
  for (int i = 0; i + 1 < view.rank; ++i)
    aligned = aligned && (view.shape[i] <= 1 || view.strides[i] * size % bytes == 0);
  return aligned;
}

/// The longest run that the tensors admit.
int alignment_of(const KvCastArgs& args) {
  for (const int a : {16, 8, 4})
    if (is_aligned(args.k, a) && is_aligned(args.v, a) && is_aligned(args.k_cache, a / 2) &&
        is_aligned(args.v_cache, a / 2))
      return a;
  return 2;
}

KvCastSpec spec_of(const KvCastArgs& args) {
  require(args.k.rank == 3, "k: rank ", args.k.rank, " must be 3 [T, H, D]");
  const auto int_of = [](std::int64_t n) { return static_cast<int>(std::min<std::int64_t>(n, INT32_MAX)); };
  return {.heads = int_of(args.k.shape[1]),
          .head_dim = int_of(args.k.shape[2]),
          .input = args.k.dtype,
          .slots = args.loc.dtype,
          .alignment = alignment_of(args)};
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
            .k_cache = view(k_cache, "k_cache"),
            .v_cache = view(v_cache, "v_cache"),
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
    const KvCastPlan& plan = plan_of(spec_of(args), args.k.device);
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
