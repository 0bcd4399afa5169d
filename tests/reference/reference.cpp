#include "reference/reference.h"

#include <cmath>
#include <limits>

#include "reference/angles.h"
#include "reference/default_mode.h"
#include "reference/element.h"
#include "reference/norm.h"
#include "reference/rotation.h"

namespace ropeline::reference {
namespace {

/// A stream of the spec with its tensors.
struct Stream {
  const StreamSpec& spec;
  const TensorView &in, &out, &weight, &bias, &scale;
};

/// A token of a batch.
struct Token {
  std::int64_t batch, token;
};

std::int64_t head_offset(const TensorView& v, Token at, int head) {
  const int head_axis = v.rank - 2;
  std::int64_t offset = at.token * v.strides[head_axis - 1] + head * v.strides[head_axis];
  if (v.rank == 4) offset += at.batch * v.strides[0];
  return offset;
}

Rows load_heads(const Spec& spec, const Stream& stream, Token at) {
  Rows heads(stream.spec.heads, std::vector<float>(spec.head_dim));
  for (int h = 0; h < stream.spec.heads; ++h)
    for (int i = 0; i < spec.head_dim; ++i) heads[h][i] = load(stream.in, head_offset(stream.in, at, h) + i);
  return heads;
}

void store_heads(const Rows& heads, const Stream& stream, Token at) {
  const TensorView& out = stream.out ? stream.out : stream.in;
  for (std::size_t h = 0; h < heads.size(); ++h)
    for (std::size_t i = 0; i < heads[h].size(); ++i)
      store(out, head_offset(out, at, static_cast<int>(h)) + static_cast<std::int64_t>(i), heads[h][i]);
}

/// All heads of the token; all of every head becomes NaN when its position has no angle.
void rope(Rows& heads, const Rope& rope, const Turns& source, Token at, DType activation) {
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (const auto turns = source.at(at.batch, at.token, static_cast<int>(h)))
      rotate(heads[h], rope, *turns, activation);
    else
      heads[h].assign(heads[h].size(), std::numeric_limits<float>::quiet_NaN());
  }
}

void scale(Rows& heads, const Scale& step, const TensorView& by, Token at, DType activation) {
  for (std::size_t h = 0; h < heads.size(); ++h)
    for (std::size_t i = 0; i < heads[h].size(); ++i) {
      const float factor = load(by, (step.per_token ? at.token * by.strides[0] : 0) +
                                        (step.per_head ? static_cast<std::int64_t>(h) * by.strides[1] : 0) +
                                        (step.per_dim ? static_cast<std::int64_t>(i) * by.strides[2] : 0));
      heads[h][i] = heads[h][i] * factor;
      if (step.round) heads[h][i] = round_to(activation, heads[h][i]);
    }
}

void clamp(Rows& heads, const Clamp& step) {
  for (auto& head : heads)
    for (float& x : head)
      if (!std::isnan(x)) x = x > step.bound ? step.bound : x < -step.bound ? -step.bound : x;
}

/// docs/numerics.md, section 10: a rope whose rounding is `end` is rounded when the step after it rounds.
bool rounds(const Step& step) {
  if (const auto* norm = std::get_if<Norm>(&step)) return norm->rounding != NormRounding::none;
  if (const auto* scale = std::get_if<Scale>(&step)) return scale->round;
  return false;
}

void round_heads(Rows& heads, DType activation) {
  for (auto& head : heads)
    for (float& x : head) x = round_to(activation, x);
}

/// The steps of a stream in their order, on the heads of one token.
void run_steps(Rows& heads, const Spec& spec, const Stream& stream, const Turns* turns, const Pairs& pairs, Token at) {
  const std::vector<Step>& steps = stream.spec.steps;
  for (std::size_t n = 0; n < steps.size(); ++n) {
    if (const auto* step = std::get_if<Norm>(&steps[n]))
      normalise(heads, *step, pairs, stream.weight, stream.bias, spec.activation);
    if (const auto* step = std::get_if<Scale>(&steps[n])) scale(heads, *step, stream.scale, at, spec.activation);
    if (const auto* step = std::get_if<Clamp>(&steps[n])) clamp(heads, *step);
    if (const auto* step = std::get_if<Rope>(&steps[n])) {
      rope(heads, *step, *turns, at, spec.activation);
      if (n + 1 < steps.size() && rounds(steps[n + 1])) round_heads(heads, spec.activation);
    }
  }
}

void run_stream(const Spec& spec, const Stream& stream, const Args& args) {
  if (stream.spec.heads == 0) return;
  const Rope* rope = stream.spec.rope();
  const Pairs pairs = pairs_of(spec.head_dim, rope);
  std::optional<Turns> turns;
  if (rope) turns.emplace(spec, *rope, args);
  const bool batched = stream.in.rank == 4;
  for (Token at{0, 0}; at.batch < (batched ? stream.in.shape[0] : 1); ++at.batch)
    for (at.token = 0; at.token < stream.in.shape[batched ? 1 : 0]; ++at.token) {
      Rows heads = load_heads(spec, stream, at);
      run_steps(heads, spec, stream, turns ? &*turns : nullptr, pairs, at);
      store_heads(heads, stream, at);
    }
}

}  // namespace

void run(const Spec& spec, const Args& args) {
  const DefaultMode mode;
  run_stream(spec, {spec.q, args.q, args.q_out, args.q_weight, args.q_bias, args.q_scale}, args);
  run_stream(spec, {spec.k, args.k, args.k_out, args.k_weight, args.k_bias, args.k_scale}, args);
  run_stream(spec, {spec.v, args.v, args.v_out, args.v_weight, args.v_bias, args.v_scale}, args);
}

}  // namespace ropeline::reference
