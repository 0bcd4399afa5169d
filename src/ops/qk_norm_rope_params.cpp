// The launch of a checked call.

#include "ops/qk_norm_rope.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

// Stride of a leading batch dimension; 0 shares the view between the batches.
std::int64_t batch_stride(const TensorView& view, int rank_without_batch) {
  return view.rank > rank_without_batch && view.shape[0] > 1 ? view.strides[0] : 0;
}

StreamParams stream(const TensorView& in, const TensorView& given_out, const TensorView& weight) {
  const TensorView& out = given_out ? given_out : in;
  const int token = in.rank - 3;
  return {.in = in.data,
          .out = out.data,
          .weight = weight.data,
          .in_batch = batch_stride(in, 3),
          .in_token = in.strides[token],
          .in_head = in.strides[token + 1],
          .out_batch = batch_stride(out, 3),
          .out_token = out.strides[token],
          .out_head = out.strides[token + 1]};
}

void set_positions(QkNormRopeParams& params, const TensorView& positions) {
  params.positions = positions.data;
  params.position_batch = batch_stride(positions, 1);
  params.position_token = positions.strides[positions.rank - 1];
}

void set_cache(QkNormRopeParams& params, const TensorView& cache) {
  const auto half = cache.shape[1] / 2 * static_cast<std::int64_t>(size_of(cache.dtype));
  params.cos = cache.data;
  params.sin = static_cast<const char*>(cache.data) + half;
  params.table_row = cache.strides[0];
  params.table_rows = cache.shape[0];
}

void set_rows(QkNormRopeParams& params, const TensorView& cos, const TensorView& sin) {
  params.cos = cos.data;
  params.sin = sin.data;
  params.table_batch = batch_stride(cos, 2);
  params.table_row = cos.strides[cos.rank - 2];
}

}  // namespace

const Rope* rotation(const Spec& spec) {
  for (const StreamSpec* stream : {&spec.q, &spec.k}) {
    const Rope* rope = stream->heads ? stream->rope() : nullptr;
    if (rope && rope->rotary_dim() > 0) return rope;
  }
  return nullptr;
}

[[gnu::hot]] QkNormRopeParams params(const Args& args) {
  const TensorView& first = args.q ? args.q : args.k;
  QkNormRopeParams params{};
  if (args.q) params.q = stream(args.q, args.q_out, args.q_weight);
  if (args.k) params.k = stream(args.k, args.k_out, args.k_weight);
  params.batches = first.rank == 4 ? first.shape[0] : 1;
  params.tokens = first.shape[first.rank - 3];
  if (args.positions) set_positions(params, args.positions);
  if (args.cos_sin_cache) set_cache(params, args.cos_sin_cache);
  if (args.cos) set_rows(params, args.cos, args.sin);
  return params;
}

}  // namespace ropeline::ops::qk_norm_rope
