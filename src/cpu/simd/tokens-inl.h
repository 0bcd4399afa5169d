// A call's tokens, one after the other: weights once, angles once a token, then every head of q and k.

#if defined(ROPELINE_CPU_SIMD_TOKENS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_TOKENS_INL_H_
#undef ROPELINE_CPU_SIMD_TOKENS_INL_H_
#else
#define ROPELINE_CPU_SIMD_TOKENS_INL_H_
#endif

#include "cpu/simd/angles-inl.h"
#include "cpu/simd/head-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// w' of one stream, fp32. A weight of 1 is exact everywhere: the product by it changes no bit, nor does a second
/// rounding, so a norm without weights needs no loop of its own.
struct Weights {
  alignas(64) float values[kMaxDim + kSlack];
};

inline void fill_weights(const Lowered& op, const StreamLoop& stream, const void* tensor, Weights& out) {
  if (!stream.has_norm) return;
  const float offset = stream.norm.weight_offset;
  if (!stream.norm.weighted) {
    std::fill_n(out.values, op.head_dim, 1.0f);
    return;
  }
  widen_parameter(op.weight, tensor, 0, op.head_dim, out.values);
  if (offset == 0) return;  // adding 0 would lose the sign of a -0
  for (int i = 0; i < op.head_dim; i += lanes()) {
    hn::StoreU(hn::Add(hn::LoadU(F(), out.values + i), hn::Set(F(), offset)), F(), out.values + i);
  }
}

/// What a worker holds while it goes through its tokens: on its stack, some 20 KB.
struct Scratch {
  Weights q_weights, k_weights;
  TokenAngles angles[2];
  bool legal[2] = {true, true};
};

template <class E>
void run_stream(const Lowered& op, const StreamLoop& stream, const StreamParams& params, const Weights& weights,
                const Scratch& scratch, TokenIndex at) {
  using Raw = typename E::Raw;
  const Raw* in = input_of<Raw>(params, at);
  Raw* out = output_of<Raw>(params, at);
  if (stream.has_rope && !scratch.legal[stream.rope.angles]) {
    return fill_nan<E>(out, params.out_head, stream.heads, op.head_dim);
  }
  for (int h = 0; h < stream.heads; ++h) {
    run_head<E>(op, stream, weights.values, scratch.angles, in + h * params.in_head, out + h * params.out_head);
  }
}

template <class E>
void run_tokens(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end) {
  Scratch scratch;
  fill_weights(op, op.q, params.q.weight, scratch.q_weights);
  fill_weights(op, op.k, params.k.weight, scratch.k_weights);
  for (std::int64_t i = begin; i < end; ++i) {
    const TokenIndex at{i / params.tokens, i % params.tokens};
    for (std::size_t a = 0; a < op.angles.size(); ++a) {
      scratch.legal[a] = fill_angles<E>(op, op.angles[a], params, at, scratch.angles[a]);
    }
    run_stream<E>(op, op.q, params.q, scratch.q_weights, scratch, at);
    run_stream<E>(op, op.k, params.k, scratch.k_weights, scratch, at);
  }
}

inline TokenLoop loop_of(DType activation) {
  return with_element(activation, [](auto e) -> TokenLoop { return run_tokens<decltype(e)>; });
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
