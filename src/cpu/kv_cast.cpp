#include "cpu/kv_cast.h"

#include "cpu/element.h"
#include "cpu/share.h"
#include "kernels/shared/fp8.h"

namespace ropeline::cpu::kv_cast {
namespace {

struct Call {
  const KvCastSpec& spec;
  CastRun cast;
  const KvCastParams& params;
};

template <class E>
void scalar_cast(const std::uint16_t* in, std::int64_t count, float inverse, std::uint8_t* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = static_cast<std::uint8_t>(fp32_to_e4m3(E::widen(in[i]) * inverse));
}

CastRun cast_of(CpuTarget target, DType input) {
  if (target != CpuTarget::scalar) return simd_cast(target, input);
  return input == DType::bf16 ? scalar_cast<Bf16> : scalar_cast<Fp16>;
}

/// Whether the heads of a token are one run, in the input and in the cache.
bool is_dense(const KvCastSpec& spec, const KvCastStream& stream) {
  return stream.in_head == spec.head_dim && stream.cache_head == spec.head_dim;
}

void cast_token(const Call& call, const KvCastStream& stream, float inverse, std::int64_t token, std::int64_t loc) {
  const auto* in = static_cast<const std::uint16_t*>(stream.in) + token * stream.in_token;
  auto* out = static_cast<std::uint8_t*>(stream.cache) + loc * stream.cache_loc;
  const std::int64_t heads = call.spec.heads, dim = call.spec.head_dim;
  if (is_dense(call.spec, stream)) return call.cast(in, heads * dim, inverse, out);
  for (std::int64_t h = 0; h < heads; ++h)
    call.cast(in + h * stream.in_head, dim, inverse, out + h * stream.cache_head);
}

std::int64_t loc_of(const Call& call, std::int64_t token) {
  const std::int64_t at = token * call.params.loc_token;
  if (call.spec.loc == DType::int32) return static_cast<const std::int32_t*>(call.params.loc)[at];
  return static_cast<const std::int64_t*>(call.params.loc)[at];
}

void cast_tokens(const void* context, std::int64_t begin, std::int64_t end) {
  const Call& call = *static_cast<const Call*>(context);
  const KvCastParams& params = call.params;
  const float k = 1.0f / *params.stream[0].scale, v = 1.0f / *params.stream[1].scale;
  for (std::int64_t token = begin; token < end; ++token) {
    const std::int64_t loc = loc_of(call, token);
    if (static_cast<std::uint64_t>(loc) >= params.locs) continue;  // a negative one is larger than any
    cast_token(call, params.stream[0], k, token, loc);
    cast_token(call, params.stream[1], v, token, loc);
  }
}

class CpuProgram final : public DeviceProgram<KvCastParams> {
 public:
  CpuProgram(const KvCastSpec& spec, CpuTarget target) : spec_(spec), cast_(cast_of(target, spec.input)) {}

  void run(const KvCastParams& params, DeviceStream stream) const override {
    const Call call{spec_, cast_, params};
    share(&call, cast_tokens, params.tokens, std::int64_t{2} * spec_.heads * spec_.head_dim, stream);
  }

 private:
  KvCastSpec spec_;
  CastRun cast_;
};

}  // namespace

std::unique_ptr<const DeviceProgram<KvCastParams>> program(const KvCastSpec& spec, CpuTarget target) {
  return std::make_unique<CpuProgram>(spec, target);
}

}  // namespace ropeline::cpu::kv_cast
