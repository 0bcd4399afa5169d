#include "contestants.h"

#include "copy_in_place.h"
#include "sglang_retyped.h"

namespace ropeline::bench {
namespace {

bool always(const Workload&) { return true; }

bool sglang_enters(const Workload& workload) {
  return sglang_retyped_runs_here() && workload.dtype() == DType::bf16 && workload.model().weight_offset == 0;
}

std::function<void()> prepare_copy(Workload& workload) {
  return [&workload] {
    over_tokens(workload, [](const Workload& w, std::int64_t begin, std::int64_t end) {
      const auto q = w.q_bytes(begin, end), k = w.k_bytes(begin, end);
      copy_in_place(q.data, q.count);
      copy_in_place(k.data, k.count);
    });
  };
}

void sglang_part(const Workload& workload, std::int64_t begin, std::int64_t end) {
  const Args args = workload.args(AngleKind::cache);
  const SglangCall call{.q = static_cast<std::uint16_t*>(args.q.data),
                        .k = static_cast<std::uint16_t*>(args.k.data),
                        .q_weight = static_cast<const std::uint16_t*>(args.q_weight.data),
                        .k_weight = static_cast<const std::uint16_t*>(args.k_weight.data),
                        .positions = static_cast<const std::int64_t*>(args.positions.data),
                        .cos_sin_cache = static_cast<const float*>(args.cos_sin_cache.data),
                        .q_heads = workload.model().q_heads,
                        .k_heads = workload.model().k_heads,
                        .head_dim = workload.model().head_dim,
                        .eps = 1e-6f};
  sglang_retyped(call, begin, end);
}

std::function<void()> prepare_sglang(Workload& workload) {
  return [&workload] { over_tokens(workload, sglang_part); };
}

Contestant op(std::string name, AngleKind angles, bool fused) {
  return {std::move(name), always, [=](Workload& workload) -> std::function<void()> {
            const Plan plan = prepare(workload.spec(angles, fused), Device::cpu());
            return [plan, args = workload.args(angles)] { plan.run(args); };
          }};
}

}  // namespace

const std::vector<Contestant>& contestants() {
  static const std::vector<Contestant> all = {
      {"copy", always, prepare_copy},
      op("fused-frequencies", AngleKind::frequencies, true),
      op("fused-cache", AngleKind::cache, true),
      op("fused-rows", AngleKind::rows, true),
      op("model-rows", AngleKind::rows, false),
      {"sglang-retyped", sglang_enters, prepare_sglang},
  };
  return all;
}

}  // namespace ropeline::bench
