// A call's tokens, one after the other: weights once, angles once a token, then every head of q and k.

#if defined(ROPELINE_CPU_SIMD_TOKENS_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_TOKENS_INL_H_
#undef ROPELINE_CPU_SIMD_TOKENS_INL_H_
#else
#define ROPELINE_CPU_SIMD_TOKENS_INL_H_
#endif

#include "cpu/simd/angles-inl.h"
#include "cpu/simd/head-inl.h"
#include "cpu/simd/streams-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

/// w' of a stream, fp32. A weight of 1 is exact everywhere: the product by it changes no bit, nor does a second
/// rounding, so a norm without weights needs no loop of its own.
inline void fill_weights(const Lowered& op, const NormLoop& norm, const void* tensor, float* out) {
  if (!norm.weighted) {
    std::fill_n(out, op.head_dim, 1.0f);
    return;
  }
  widen_parameter(op.weight, tensor, 0, op.head_dim, out);
  if (norm.weight_offset == 0) return;  // adding 0 would lose the sign of a -0
  const Floats offset = hn::Set(F(), norm.weight_offset);
  for (int i = 0; i < op.head_dim; i += lanes()) hn::StoreU(hn::Add(hn::LoadU(F(), out + i), offset), F(), out + i);
}

/// The angles of the current token.
struct CurrentAngles {
  TokenAngles values;
  alignas(64) float arranged_cos[kMaxPairs + kSlack], arranged_sin[kMaxPairs + kSlack];  // for NeoX blocks
  bool legal = true;
  bool bounded = false;         // cos and sin, see BoundedBf16
  bool needs_arranged = false;  // by a stream
  bool needs_bounded = false;
};

template <class E>
void next_angles(const Lowered& op, const AngleLoop& loop, const QkNormRopeParams& params, TokenIndex at,
                 CurrentAngles& out) {
  out.legal = fill_angles<E>(op, loop, params, at, out.values);
  if (!out.legal) return;
  if (out.needs_bounded) {
    out.bounded = are_bounded(out.values.cos, loop.pairs) && are_bounded(out.values.sin, loop.pairs);
  }
  if (!out.needs_arranged) return;
  arrange(out.values.cos, loop.pairs, out.arranged_cos);
  arrange(out.values.sin, loop.pairs, out.arranged_sin);
}

/// One stream of a call: what is the same for all its tokens.
template <class E>
class Stream {
 public:
  using Raw = typename E::Raw;

  Stream(const Lowered& op, const StreamLoop& loop, const StreamParams& params, CurrentAngles* angles)
      : op_(op), loop_(loop), params_(params), angles_(angles + loop.rope.angles) {
    if (loop.heads == 0) return;
    if (loop.has_norm) fill_weights(op, loop.norm, params.weight, weights_);
    if (!fits_blocks(op, loop)) return;
    group_loop_ = group_loop<E>(loop);
    blocks_ = block_list(loop, op.head_dim);
    if (loop.has_norm) arrange_weights(blocks_, weights_, arranged_weights_);
    if (blocks_.pair_count > 0) angles_->needs_arranged = true;
    bounded_loop_ = bounded_loop<E>(op, loop, weights_);
    if (bounded_loop_ && loop.has_rope) angles_->needs_bounded = true;
  }

  /// The sums and roots of the token's first group. They take long to arrive, and what comes next, the token's angles
  /// and the other stream's sums, does not wait for them.
  void start(TokenIndex at) {
    if (group_loop_ && loop_.has_norm) take_roots(input_of<Raw>(params_, at), rows_from(0));
  }

  void finish(TokenIndex at) {
    if (loop_.heads == 0) return;
    const Raw* in = input_of<Raw>(params_, at);
    Raw* out = output_of<Raw>(params_, at);
    if (loop_.has_rope && !angles_->legal) return fill_nan<E>(out, params_.out_head, loop_.heads, op_.head_dim);
    if (group_loop_) return run_groups(in, out);
    for (int h = 0; h < loop_.heads; ++h) {
      run_head<E>(op_, loop_, weights_, angles_->values, in + h * params_.in_head, out + h * params_.out_head);
    }
  }

 private:
  int rows_from(int head) const { return std::min(kGroupRows, loop_.heads - head); }

  void take_roots(const Raw* in, int rows) {
    group_inverse_roots<E>(loop_.norm, blocks_, in, params_.in_head, rows, inv_);
    if constexpr (std::is_same_v<E, Bf16>) {
      if (bounded_loop_) smallest_ = smallest_magnitude(in, params_.in_head, rows, op_.head_dim);
    }
  }

  /// Whether the group whose roots were taken last is BoundedBf16. (x * inv is at most sqrt(D).)
  bool is_bounded(int rows) const {
    if (!bounded_loop_ || (loop_.has_rope && !angles_->bounded)) return false;
    return smallest_ * smallest_of(inv_, rows) >= kSmallest;
  }

  void run_groups(const Raw* in, Raw* out) {
    if (!loop_.has_norm && in != out) copy_rest(in, out);
    for (int h = 0; h < loop_.heads; h += kGroupRows) {
      if (h > 0 && loop_.has_norm) take_roots(in + h * params_.in_head, rows_from(h));
      const GroupLoop<Raw> loop = is_bounded(rows_from(h)) ? bounded_loop_ : group_loop_;
      loop(blocks_, group(in + h * params_.in_head, out + h * params_.out_head, rows_from(h)));
    }
  }

  RowGroup<Raw> group(const Raw* in, Raw* out, int rows) const {
    const bool arranged = blocks_.pair_count > 0;
    return {.in = in,
            .out = out,
            .in_stride = params_.in_head,
            .out_stride = params_.out_head,
            .rows = rows,
            .inv = inv_,
            .weight = arranged_weights_,
            .cos = arranged ? angles_->arranged_cos : angles_->values.cos,
            .sin = arranged ? angles_->arranged_sin : angles_->values.sin};
  }

  /// What lies outside the rotated slice.
  void copy_rest(const Raw* in, Raw* out) const {
    const int end = loop_.rope.offset + 2 * loop_.rope.pairs;
    for (int h = 0; h < loop_.heads; ++h) {
      const Raw* from = in + h * params_.in_head;
      Raw* to = out + h * params_.out_head;
      copy_elements(from, to, loop_.rope.offset);
      copy_elements(from + end, to + end, op_.head_dim - end);
    }
  }

  const Lowered& op_;
  const StreamLoop& loop_;
  const StreamParams& params_;
  CurrentAngles* angles_;
  GroupLoop<Raw> group_loop_ = nullptr;
  GroupLoop<Raw> bounded_loop_ = nullptr;
  float smallest_ = 0;
  BlockList blocks_;
  alignas(64) float inv_[kGroupRows + kSlack];
  alignas(64) float weights_[kMaxDim + kSlack];
  alignas(64) float arranged_weights_[kMaxDim + kSlack];
};

template <class E>
void run_tokens(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end) {
  CurrentAngles angles[2];
  Stream<E> q(op, op.q, params.q, angles), k(op, op.k, params.k, angles);
  for (std::int64_t i = begin; i < end; ++i) {
    const TokenIndex at{i / params.tokens, i % params.tokens};
    q.start(at);
    k.start(at);
    for (std::size_t a = 0; a < op.angles.size(); ++a) next_angles<E>(op, op.angles[a], params, at, angles[a]);
    q.finish(at);
    k.finish(at);
  }
}

/// Whether every stream goes in groups of rows.
inline bool is_quick(const Lowered& op) {
  const auto quick = [&](const StreamLoop& stream) {
    const bool copied = !stream.has_norm && !stream.has_rope;
    return stream.heads == 0 || copied || fits_blocks(op, stream);
  };
  return quick(op.q) && quick(op.k);
}

inline TokenLoop loop_of(const Lowered& op) {
  return with_element(op.activation, [](auto e) -> TokenLoop { return run_tokens<decltype(e)>; });
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
