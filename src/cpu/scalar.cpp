// The op in plain loops: what every other target must equal to the bit.

#include <cmath>

#include "cpu/element.h"
#include "cpu/loops.h"
#include "cpu/token.h"

namespace ropeline::cpu {
namespace {

template <class E>
float rounded(float x) {
  return E::widen(E::narrow(x));
}

template <class T>
float value_at(const void* table, std::int64_t index) {
  return T::widen(static_cast<const typename T::Raw*>(table)[index]);
}

float table_value(DType type, const void* table, std::int64_t index) {
  return with_element(type, [&](auto t) { return value_at<decltype(t)>(table, index); });
}

// --- angles ----------------------------------------------------------------------------------------------------------

void angles_from_phase(const AngleLoop& loop, std::int32_t position, TokenAngles& out) {
  for (int i = 0; i < loop.pairs; ++i) {
    const Turns turns{loop.turns_hi[static_cast<std::size_t>(i)], loop.turns_lo[static_cast<std::size_t>(i)]};
    const SinCos value = sin_cos(phase_of(position, turns));
    out.cos[i] = value.cos * loop.factor;
    out.sin[i] = value.sin * loop.factor;
  }
}

void angles_from_table(const AngleLoop& loop, DType type, const void* table, std::int64_t row, float* first,
                       float* second) {
  const int n = loop.pairs;
  for (int i = 0; i < n; ++i) {
    switch (loop.read) {
      case TableRead::consecutive: first[i] = table_value(type, table, row + i); break;
      case TableRead::alternate: first[i] = table_value(type, table, row + 2 * i); break;
      case TableRead::split_halves:
        first[i] = table_value(type, table, row + i);
        second[i] = table_value(type, table, row + n + i);
        break;
      case TableRead::split_neighbours:
        first[i] = table_value(type, table, row + 2 * i);
        second[i] = table_value(type, table, row + 2 * i + 1);
        break;
    }
  }
}

template <class E>
void finish_angles(const AngleLoop& loop, float* cos, float* sin) {
  for (int i = 0; i < loop.pairs; ++i) {
    if (loop.rounded) cos[i] = rounded<E>(cos[i]), sin[i] = rounded<E>(sin[i]);
    if (loop.inverse) sin[i] = -sin[i];
  }
}

/// False when the token's position is illegal.
template <class E>
bool fill_angles(const Lowered& op, const AngleLoop& loop, const QkNormRopeParams& params, TokenIndex at,
                 TokenAngles& out) {
  if (loop.source == AngleSource::phase) {
    const std::int64_t position = position_of(op, params, at);
    if (!is_int32(position)) return false;
    angles_from_phase(loop, static_cast<std::int32_t>(position), out);
  } else {
    const std::int64_t row = table_row_of(op, loop, params, at);
    if (row == kNoRow) return false;
    angles_from_table(loop, op.table, params.cos, row, out.cos, out.second_cos);
    angles_from_table(loop, op.table, params.sin, row, out.sin, out.second_sin);
  }
  finish_angles<E>(loop, out.cos, out.sin);
  if (loop.split()) finish_angles<E>(loop, out.second_cos, out.second_sin);
  return true;
}

// --- one head --------------------------------------------------------------------------------------------------------

/// The complete binary tree over neighbours.
float tree_sum(float* p, int count) {
  int padded = 1;
  while (padded < count) padded *= 2;
  for (int i = count; i < padded; ++i) p[i] = 0;
  for (; padded > 1; padded /= 2) {
    for (int i = 0; i < padded / 2; ++i) p[i] = p[2 * i] + p[2 * i + 1];
  }
  return p[0];
}

float inverse_root(const NormLoop& norm, const float* x) {
  float p[kMaxPairs];
  int n = 0;
  for (const PairRun& run : norm.runs) {
    for (int i = 0; i < run.count; ++i) p[n++] = std::fma(x[run.hi + i], x[run.hi + i], x[run.lo + i] * x[run.lo + i]);
  }
  const double square = std::fma(tree_sum(p, n), norm.unit, norm.eps);
  return static_cast<float>(1.0 / std::sqrt(square));
}

template <class E>
float normalised(const NormLoop& norm, float x, float inv, float weight) {
  switch (norm.rounding) {
    case NormRounding::none: return x * inv * weight;
    case NormRounding::end: return rounded<E>(x * inv * weight);
    case NormRounding::inner:
    case NormRounding::factor: return rounded<E>(weight * rounded<E>(x * inv));
  }
  return x;
}

template <class E>
void normalise(const NormLoop& norm, const float* weight, int head_dim, float* x) {
  float inv = inverse_root(norm, x);
  if (norm.rounding == NormRounding::factor) inv = rounded<E>(inv);
  for (int i = 0; i < head_dim; ++i) x[i] = normalised<E>(norm, x[i], inv, weight[i]);
}

template <class E>
void rotate_pair(bool products, float& a, float& b, float cos, float sin, float second_cos, float second_sin) {
  const float x = a, y = b;
  if (products) {
    a = rounded<E>(x * cos) - rounded<E>(y * sin);
    b = rounded<E>(y * second_cos) + rounded<E>(x * second_sin);
  } else {
    a = std::fma(x, cos, -(y * sin));
    b = std::fma(y, second_cos, x * second_sin);
  }
}

template <class E>
void rotate(const RopeLoop& rope, bool split, const TokenAngles& angles, float* x) {
  float* slice = x + rope.offset;
  const float* second_cos = split ? angles.second_cos : angles.cos;
  const float* second_sin = split ? angles.second_sin : angles.sin;
  for (int i = 0; i < rope.pairs; ++i) {
    float& a = rope.style == Style::neox ? slice[i] : slice[2 * i];
    float& b = rope.style == Style::neox ? slice[i + rope.pairs] : slice[2 * i + 1];
    rotate_pair<E>(rope.products, a, b, angles.cos[i], angles.sin[i], second_cos[i], second_sin[i]);
  }
}

template <class E>
void run_head(const Lowered& op, const StreamLoop& stream, const float* weight, const TokenAngles* angles,
              const typename E::Raw* in, typename E::Raw* out) {
  float x[kMaxDim] = {};
  for (int i = 0; i < op.head_dim; ++i) x[i] = E::widen(in[i]);
  if (stream.has_norm) normalise<E>(stream.norm, weight, op.head_dim, x);
  if (stream.has_rope) {
    const AngleLoop& loop = op.angles[static_cast<std::size_t>(stream.rope.angles)];
    rotate<E>(stream.rope, loop.split(), angles[stream.rope.angles], x);
  }
  // Elements that no step touches keep their bits, those of a signalling NaN too.
  const int begin = stream.has_norm ? 0 : stream.rope.offset;
  const int end = stream.has_norm ? op.head_dim : stream.rope.offset + 2 * stream.rope.pairs;
  copy_elements(in, out, begin);
  for (int i = begin; i < end; ++i) out[i] = E::narrow(x[i]);
  copy_elements(in + end, out + end, op.head_dim - end);
}

// --- the call --------------------------------------------------------------------------------------------------------

struct ScalarWeights {
  float q[kMaxDim], k[kMaxDim];
};

/// A weight of 1 is exact everywhere: the product by it changes no bit, nor does a second rounding.
void fill_weights(const Lowered& op, const StreamLoop& stream, const void* weight, float* out) {
  if (!stream.has_norm) return;
  const float offset = stream.norm.weight_offset;
  for (int i = 0; i < op.head_dim; ++i) {
    out[i] = stream.norm.weighted ? table_value(op.weight, weight, i) : 1.0f;
    if (stream.norm.weighted && offset != 0) out[i] += offset;  // adding 0 would lose the sign of a -0
  }
}

template <class E>
void run_stream(const Lowered& op, const StreamLoop& stream, const StreamParams& params, const float* weight,
                const TokenAngles* angles, const bool* legal, TokenIndex at) {
  using Raw = typename E::Raw;
  const Raw* in = input_of<Raw>(params, at);
  Raw* out = output_of<Raw>(params, at);
  if (stream.has_rope && !legal[stream.rope.angles]) {
    return fill_nan<E>(out, params.out_head, stream.heads, op.head_dim);
  }
  for (int h = 0; h < stream.heads; ++h) {
    run_head<E>(op, stream, weight, angles, in + h * params.in_head, out + h * params.out_head);
  }
}

template <class E>
void run_tokens(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end) {
  ScalarWeights weights;
  fill_weights(op, op.q, params.q.weight, weights.q);
  fill_weights(op, op.k, params.k.weight, weights.k);
  TokenAngles angles[2];
  bool legal[2] = {true, true};
  for (std::int64_t i = begin; i < end; ++i) {
    const TokenIndex at{i / params.tokens, i % params.tokens};
    for (std::size_t a = 0; a < op.angles.size(); ++a) {
      legal[a] = fill_angles<E>(op, op.angles[a], params, at, angles[a]);
    }
    run_stream<E>(op, op.q, params.q, weights.q, angles, legal, at);
    run_stream<E>(op, op.k, params.k, weights.k, angles, legal, at);
  }
}

}  // namespace

void run_scalar(const Lowered& op, const QkNormRopeParams& params, std::int64_t begin, std::int64_t end) {
  with_element(op.activation, [&](auto e) { run_tokens<decltype(e)>(op, params, begin, end); });
}

}  // namespace ropeline::cpu
