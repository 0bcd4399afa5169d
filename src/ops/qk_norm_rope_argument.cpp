#include "ops/qk_norm_rope_argument.h"

#include <cstdint>

namespace ropeline::ops::qk_norm_rope {
namespace {

void merge(std::int64_t& token, std::int64_t batch, std::int64_t tokens, bool& legal) {
  if (tokens == 1)
    token = batch;
  else
    legal = legal && batch == token * tokens;
}

const void* advance(const void* p, std::int64_t elements, DType type) {
  return static_cast<const char*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}

StreamParams batches_of(StreamParams stream, std::int64_t first, DType type) {
  stream.in = advance(stream.in, first * stream.in_batch, type);
  stream.out = const_cast<void*>(advance(stream.out, first * stream.out_batch, type));
  return stream;
}

}  // namespace

QkNormRopeParams merged(const QkNormRopeParams& params) {
  if (params.batches == 1) return params;
  QkNormRopeParams p = params;
  bool legal = p.batches <= INT32_MAX / p.tokens;
  for (StreamParams* s : {&p.q, &p.k}) {
    merge(s->in_token, s->in_batch, p.tokens, legal);
    merge(s->out_token, s->out_batch, p.tokens, legal);
  }
  merge(p.position_token, p.position_batch, p.tokens, legal);
  const bool rows = p.cos && p.table_rows == 0;  // the rows of a cache are chosen by position alone
  if (rows) merge(p.table_row, p.table_batch, p.tokens, legal);
  if (!legal) return params;
  p.tokens *= p.batches;
  p.batches = 1;
  return p;
}

QkNormRopeParams batches_of(const QkNormRopeParams& params, const Spec& spec, std::int64_t first, std::int64_t count) {
  QkNormRopeParams p = params;
  p.q = batches_of(p.q, first, spec.activation);
  p.k = batches_of(p.k, first, spec.activation);
  p.positions = advance(p.positions, first * p.position_batch, spec.positions);
  p.cos = advance(p.cos, first * p.table_batch, spec.table);
  p.sin = advance(p.sin, first * p.table_batch, spec.table);
  p.batches = count;
  return p;
}

Argument::Norm Argument::norm_of(const StreamSpec& stream) {
  const ropeline::Norm* norm = stream.norm();
  return norm ? Norm{norm->eps, norm->weight_offset} : Norm{0, 0};
}

Argument::Argument(const Spec& spec, const LaunchAngles& angles)
    : has_q_(spec.q.heads > 0),
      q_(norm_of(spec.q)),
      k_(norm_of(spec.k)),
      angles_(angles),
      activation_(size_of(spec.activation)),
      table_(size_of(spec.table)),
      position_(size_of(spec.positions)) {}

[[gnu::hot]] kernel::QkNormRopeLaunch Argument::of(const QkNormRopeParams& p) const {
  const auto stream = [size = activation_](const StreamParams& s, const Norm& norm) {
    return kernel::StreamLaunch{.in = static_cast<const char*>(s.in),
                                .out = static_cast<char*>(s.out),
                                .in_token = s.in_token * size,
                                .in_head = s.in_head * size,
                                .out_token = s.out_token * size,
                                .out_head = s.out_head * size,
                                .in_batch = s.in_batch * size,
                                .out_batch = s.out_batch * size,
                                .eps = norm.eps,
                                .offset = norm.offset};
  };
  const StreamParams& first = has_q_ ? p.q : p.k;
  const Norm& norm = has_q_ ? q_ : k_;
  return {.positions = static_cast<const char*>(p.positions),
          .turns = angles_.turns,
          .weight = {static_cast<const char*>(p.q.weight), static_cast<const char*>(p.k.weight)},
          .packed = static_cast<char*>(first.out),
          .packed_token = static_cast<std::uint32_t>(first.in_token * activation_),
          .factor = angles_.factor,
          .packed_eps = norm.eps,
          .packed_offset = norm.offset,
          .tokens = p.tokens,
          .stream = {stream(p.q, q_), stream(p.k, k_)},
          .position_token = p.position_token * position_,
          .position_batch = p.position_batch * position_,
          .cos = static_cast<const char*>(p.cos),
          .sin = static_cast<const char*>(p.sin),
          .table_row = p.table_row * table_,
          .table_batch = p.table_batch * table_,
          .table_rows = p.table_rows};
}

}  // namespace ropeline::ops::qk_norm_rope
