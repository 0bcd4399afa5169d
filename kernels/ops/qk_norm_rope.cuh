#pragma once

// qk_norm_rope: normalises the heads of q and k and rotates them, in place or into another tensor, in one pass.
//
//   a block      the lanes of one token, or a fraction of them, or those of a few tokens
//   a warp       one token, and one stream unless both are packed: all its lanes run the same code, so that shuffles
//   need
//                no mask
//   lane group   lanes_of_head lanes that own form.heads heads, groups_of apart, which share their angles
//   lane         form.run pairs of each of those heads, or a few such runs: both elements of a pair, both partners of a
//                rotation (parts/layout.cuh)
//
// Meaning of every operation: docs/numerics.md. Mapping and variants: docs/kernel.md.

#include "kernels/parts/heads.cuh"
#include "kernels/parts/held.cuh"
#include "kernels/parts/norm.cuh"
#include "kernels/parts/rotation.cuh"
#include "kernels/parts/sum.cuh"
#include "kernels/ptx/order.cuh"

namespace ropeline::kernel {

/// What a lane works on, from the loads to the store.
template <class C, Known known>
struct Work {
  ROPELINE_FN static constexpr StreamSteps steps() {
    return C::template steps<(known == Known::k ? Part::k : Part::q)>();
  }
  ROPELINE_FN static constexpr NormStep norm() { return steps().norm; }
  ROPELINE_FN static constexpr RopeStep rope() { return steps().rope; }
  enum : int { slots = Heads<C, known>::slots, runs = C::runs, run = C::run };
  enum : bool { packed = known == Known::packed, two_weights = packed && slots > 1 };
  enum : bool { reads_position = rope().present && (C::source() == Source::turns || C::source() == Source::cache) };
  enum : bool { may_be_invalid = reads_position && (C::wide_positions || C::source() == Source::cache) };

  Heads<C, known> heads;
  Layout<C, rope().present> layout;
  Spans<C> spans;
  Position position = {};
  char* out[slots];
  Held<C, C::activation()> x[slots];
  Held<C, C::weight()> weight, k_weight;  // the second one where a lane has heads of both streams
  Turn turn[Shares<C>::needed];
  NormNumbers numbers;
  float inv[slots];

  ROPELINE_DEVICE Work(const Place& place, uint32_t lane, bool k)
      : heads(place, lane, k), layout{static_cast<int>(lane % C::lanes)}, spans{layout.lane} {}

  /// What is used late is read early: it would be a miss of the constant cache behind the reduction.
  ROPELINE_DEVICE void hold_numbers(const QkNormRopeLaunch& p) {
    numbers = packed ? NormNumbers{p.packed_eps, p.packed_offset}
                     : NormNumbers{p.stream[heads.k_warp].eps, p.stream[heads.k_warp].offset};
    if constexpr (norm().present) ptx::hold(numbers.eps);
    if constexpr (norm().offset) ptx::hold(numbers.offset);
  }

  ROPELINE_DEVICE void load_heads(const QkNormRopeLaunch& p, const Place& place) {
#pragma unroll
    for (int s = 0; s < slots; ++s)
      load_head<Memory::data>(x[s], heads.in(p, place, s, layout.offset(size_of(C::activation()))), layout);
  }

  ROPELINE_DEVICE void load_weights(const QkNormRopeLaunch& p) {
    if constexpr (norm().weight) {
      const uint32_t offset = layout.offset(size_of(C::weight()));
      load_head<Memory::constant>(weight, first_weight(p) + offset, layout);
      if constexpr (two_weights) load_head<Memory::constant>(k_weight, p.weight[1] + offset, layout);
    }
  }

  /// That of the lane's only head is chosen between two registers: a choice between addresses of the argument would
  /// wait for the constant cache once more.
  ROPELINE_DEVICE const char* first_weight(const QkNormRopeLaunch& p) const {
    if constexpr (!packed) return p.weight[heads.k_warp];
    const char *q = p.weight[0], *k = p.weight[1];
    if constexpr (!two_weights) ptx::hold(q), ptx::hold(k);
    return !two_weights && heads.is_k(0) ? k : q;
  }

  /// In the shadow of the loads. A packed head goes where it came from.
  ROPELINE_DEVICE void find_outputs(const QkNormRopeLaunch& p, const Place& place) {
#pragma unroll
    for (int s = 0; s < slots; ++s) {
      out[s] = heads.out(p, place, s, layout.offset(size_of(C::activation())));
      if constexpr (!packed) ptx::hold(out[s]);
    }
  }

  /// A token without an angle gets a NaN for eps, which makes NaN of everything that the norm touches.
  ROPELINE_DEVICE void find_inverse_norms() {
    if constexpr (may_be_invalid) numbers.eps = if_valid(position, numbers.eps);
    float sum[slots][runs];
#pragma unroll
    for (int s = 0; s < slots; ++s)
#pragma unroll
      for (int w = 0; w < runs; ++w) sum[s][w] = sum_of_squares(x[s].lo[w], x[s].hi[w]);
    sum_over_lanes<C::lanes>(sum);
#pragma unroll
    for (int s = 0; s < slots; ++s) inv[s] = inverse_norm<norm(), C::head_dim>(tree(sum[s]), numbers.eps);
  }

  ROPELINE_DEVICE Run<C::weight(), run> weight_of(int s, const Run<C::weight(), run>& q,
                                                  const Run<C::weight(), run>& k) {
    Run<C::weight(), run> chosen = q;
    if (two_weights && heads.is_k(s)) chosen = k;
    return chosen;
  }

  /// One run of one head as fp32, normalised; NaN for a token without an angle.
  ROPELINE_DEVICE void normalised(float (&y)[run], const Run<C::activation(), run>& from, int s,
                                  const Run<C::weight(), run>& by) {
    if constexpr (norm().present) {
      normalise<norm(), !rope().present>(y, from, inv[s], by, numbers.offset);
    } else {
#pragma unroll
      for (int i = 0; i < run; ++i) y[i] = may_be_invalid ? if_valid(position, element(from, i)) : element(from, i);
    }
  }

  ROPELINE_DEVICE void finish_head(int s) {
#pragma unroll
    for (int w = 0; w < runs; ++w) {
      float lo[run], hi[run];
      normalised(lo, x[s].lo[w], s, weight_of(s, weight.lo[w], k_weight.lo[w]));
      normalised(hi, x[s].hi[w], s, weight_of(s, weight.hi[w], k_weight.hi[w]));
      if constexpr (rope().present) rotate_run<C, rope()>(lo, hi, turn + w * run, spans, w);
      x[s].lo[w] = narrow<C::activation()>(lo), x[s].hi[w] = narrow<C::activation()>(hi);
    }
    if (heads.exists(s)) store_head(out[s], x[s], layout);
  }
};

/// The heads of one warp. `lane` counts within the stream.
template <class C, Known known>
ROPELINE_DEVICE void serve(const QkNormRopeLaunch& p, const Place& place, uint32_t lane, bool k) {
  using Warp = Work<C, known>;
  constexpr bool rows = Warp::rope().present && C::source() != Source::turns, turns = Warp::rope().present && !rows;
  Warp work(place, lane, k);
  Frequencies<C> frequencies;
  TableRows<C> table;

  work.hold_numbers(p);
  if constexpr (C::dependent) ptx::wait_for_predecessor();
  if constexpr (work.reads_position) work.position = load_position<C>(p, place);
  if constexpr (turns) frequencies = fetch_frequencies<C>(p, work.spans);
  work.load_heads(p, place);
  work.load_weights(p);
  if constexpr (C::dependent) ptx::launch_dependents();
  work.find_outputs(p, place);
  if constexpr (rows) table = fetch_rows<C>(p, place, work.position, work.spans);

  if constexpr (turns) angles_of<C, Warp::rope()>(work.turn, frequencies, work.position, p.factor, work.spans);
  if constexpr (Warp::norm().present) work.find_inverse_norms();
  if constexpr (rows) angles_of<C, Warp::rope()>(work.turn, table);
#pragma unroll
  for (int s = 0; s < work.slots; ++s) work.finish_head(s);
}

template <Variant v>
__global__ void __launch_bounds__(v.form.threads, v.form.blocks)
    qk_norm_rope(const __grid_constant__ QkNormRopeLaunch p) {
  using C = Code<v>;
  constexpr uint32_t q_lanes = kWarp * warps_of(v, Part::q);
  const Place place = find_place<C>(p);
  const bool k = v.k.heads != 0 && (v.q.heads == 0 || place.lane >= q_lanes);
  const uint32_t lane = place.lane - (k ? q_lanes : 0);
  if constexpr (v.form.packed)
    serve<C, Known::packed>(p, place, place.lane, false);
  else if constexpr (v.q.heads == 0 || v.k.heads == 0 || same_steps(v))
    serve<C, Known::by_warp>(p, place, lane, k);
  else if (k)
    serve<C, Known::k>(p, place, lane, true);
  else
    serve<C, Known::q>(p, place, lane, false);
}

}  // namespace ropeline::kernel
