// The launch of a checked call.

#include "ops/qk_norm_rope.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

// The stride of a dimension; of one that is never stepped along, which may be any number, 0.
std::int64_t stride(const TensorView& view, int axis) { return view.shape[axis] > 1 ? view.strides[axis] : 0; }

// That of a leading batch dimension; 0 shares the view between the batches.
std::int64_t batch_stride(const TensorView& view, int rank_without_batch) {
  return view.rank > rank_without_batch ? stride(view, 0) : 0;
}

StreamParams stream(const TensorView& in, const TensorView& given_out, const TensorView& weight) {
  const TensorView& out = given_out ? given_out : in;
  const int token = in.rank - 3;
  return {.in = in.data,
          .out = out.data,
          .weight = weight.data,
          .in_batch = batch_stride(in, 3),
          .in_token = stride(in, token),
          .in_head = stride(in, token + 1),
          .out_batch = batch_stride(out, 3),
          .out_token = stride(out, token),
          .out_head = stride(out, token + 1)};
}

// Rows of cos and sin: those of the call, or the table that positions choose from.
struct Table {
  const void *cos, *sin;
  std::int64_t batch, row, rows;
};

Table table(const Args& args) {
  const TensorView& cache = args.cos_sin_cache;
  if (args.cos)
    return {args.cos.data, args.sin.data, batch_stride(args.cos, 2), stride(args.cos, args.cos.rank - 2), 0};
  if (!cache) return {};
  const auto half = cache.shape[1] / 2 * static_cast<std::int64_t>(size_of(cache.dtype));
  return {cache.data, static_cast<const char*>(cache.data) + half, 0, stride(cache, 0), cache.shape[0]};
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
  const TensorView &first = args.q ? args.q : args.k, &positions = args.positions;
  const Table rows = table(args);
  return {.q = args.q ? stream(args.q, args.q_out, args.q_weight) : StreamParams{},
          .k = args.k ? stream(args.k, args.k_out, args.k_weight) : StreamParams{},
          .batches = first.rank == 4 ? first.shape[0] : 1,
          .tokens = first.shape[first.rank - 3],
          .positions = positions ? positions.data : nullptr,
          .position_batch = positions ? batch_stride(positions, 1) : 0,
          .position_token = positions ? stride(positions, positions.rank - 1) : 0,
          .cos = rows.cos,
          .sin = rows.sin,
          .table_batch = rows.batch,
          .table_row = rows.row,
          .table_rows = rows.rows};
}

}  // namespace ropeline::ops::qk_norm_rope
