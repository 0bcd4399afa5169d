#pragma once

// qk_norm_rope: normalises the heads of q and k and rotates them, in place or into another tensor, in one pass.
//
//   a block      the lanes of one token, or a fraction of them, or those of a few tokens
//   a warp       one token, and one stream unless both are packed: all its lanes run the same code, and shuffles need
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

/// What one path of the code does.
template <Variant v, Known known>
struct Path {
  using C = Code<v>;
  using Heads = kernel::Heads<C, known>;
  enum : bool { packed = known == Known::packed, is_k = known == Known::k };
  enum : bool { rope = (is_k ? v.k : v.q).rope.present };
  enum : bool { turns = rope && v.source == Source::turns, rows = rope && !turns };
  enum : bool { reads_position = turns || (rope && v.source == Source::cache) };
  enum : bool { may_be_invalid = reads_position && (v.wide_positions || v.source == Source::cache) };
  enum : int { slots = Heads::slots, runs = C::runs, run = C::run };
  enum : bool { mixed = packed && slots > 1 && C::q > 0 && C::k > 0 };  // a lane has heads of both streams
  enum : int { weights = mixed ? 2 : 1 };
  ROPELINE_FN static constexpr StreamSteps steps() { return is_k ? v.k : v.q; }

  using Head = Held<C, v.activation>;
  using Weight = Held<C, v.weight>;
};

/// Where the lane's part of the head in a slot begins: of the input, or of the output.
template <class P, bool output>
ROPELINE_DEVICE char* find_head(const QkNormRopeLaunch& p, const Place& place, const typename P::Heads& heads, int s,
                                int lane) {
  using C = typename P::C;
  const uint32_t offset = lane * C::run * size_of(C::activation()), groups = heads.groups;
  if constexpr (P::packed) {
    constexpr uint32_t bytes = C::head_dim * size_of(C::activation());
    char* const row = p.packed + static_cast<uint64_t>(place.token) * p.packed_token;
    // The first slot's address and a constant, where no lane lacks a head.
    if constexpr (P::Heads::always_full) return row + (heads.group * bytes + offset) + s * groups * bytes;
    return row + (heads.head(s) * bytes + offset);
  }
  const StreamLaunch& stream = p.stream[heads.k_warp];
  char* row = output ? stream.out : const_cast<char*>(stream.in);
  row = row_of<C::batched>(place, row, output ? stream.out_token : stream.in_token,
                           output ? stream.out_batch : stream.in_batch);
  return step(row, heads.head(s), output ? stream.out_head : stream.in_head) + offset;
}

/// That of the lane's only head is chosen between two registers: a choice between addresses of the argument would wait
/// for the constant cache once more.
template <class P>
ROPELINE_DEVICE void load_weights(typename P::Weight (&weight)[P::weights], const QkNormRopeLaunch& p,
                                  const typename P::Heads& heads, int lane) {
  using C = typename P::C;
  const uint32_t offset = lane * C::run * size_of(C::weight());
  const char *q = p.weight[0], *k = p.weight[1];
  if constexpr (!P::packed) q = p.weight[heads.k_warp];
  if constexpr (P::packed && P::weights == 1) {
    ptx::hold(q), ptx::hold(k);
    if (heads.is_k(0)) q = k;
  }
  load_head<Memory::constant, P::rope>(weight[0], q + offset, lane);
  if constexpr (P::weights == 2) load_head<Memory::constant, P::rope>(weight[1], k + offset, lane);
}

template <class P>
ROPELINE_DEVICE void find_sums(float (&sum)[P::slots], const typename P::Head (&x)[P::slots]) {
  float of_run[P::slots][P::runs];
#pragma unroll
  for (int s = 0; s < P::slots; ++s)
#pragma unroll
    for (int w = 0; w < P::runs; ++w) of_run[s][w] = sum_of_squares(x[s].lo[w], x[s].hi[w]);
  sum_over_lanes<P::C::lanes>(of_run);
#pragma unroll
  for (int s = 0; s < P::slots; ++s) sum[s] = tree(of_run[s]);
}

/// One head, in place: the norm, then the rotation. Without a norm a token without an angle becomes NaN here.
template <class P>
ROPELINE_DEVICE void finish_head(typename P::Head& x, float sum, NormNumbers numbers,
                                 const typename P::Weight (&weight)[P::weights], bool k,
                                 const Angles<typename P::C>& angles, Position position, int lane) {
  constexpr NormStep norm = P::steps().norm;
  constexpr RopeStep rope = P::steps().rope;
  float inv = 1;
  if constexpr (norm.present) inv = inverse_norm<norm, P::C::head_dim>(sum, numbers.eps);
#pragma unroll
  for (int w = 0; w < P::runs; ++w) {
    float lo[P::run], hi[P::run];
    if constexpr (norm.present) {
      auto by_lo = weight[0].lo[w], by_hi = weight[0].hi[w];
      if constexpr (P::weights == 2) choose(by_lo, weight[1].lo[w], k), choose(by_hi, weight[1].hi[w], k);
      normalise<norm, !rope.present>(lo, x.lo[w], inv, by_lo, numbers.offset);
      normalise<norm, !rope.present>(hi, x.hi[w], inv, by_hi, numbers.offset);
    } else {
#pragma unroll
      for (int i = 0; i < P::run; ++i) lo[i] = element(x.lo[w], i), hi[i] = element(x.hi[w], i);
      if constexpr (P::may_be_invalid) {
#pragma unroll
        for (int i = 0; i < P::run; ++i) lo[i] = if_valid(position, lo[i]), hi[i] = if_valid(position, hi[i]);
      }
    }
    if constexpr (rope.present) rotate_run<rope>(lo, hi, angles, lane, w);
    narrow(x.lo[w], lo), narrow(x.hi[w], hi);
  }
}

/// The heads of one warp. `token_lane` counts within the stream.
template <class P>
ROPELINE_DEVICE void serve(const QkNormRopeLaunch& p, const Place& place, uint32_t token_lane, bool k_warp) {
  using C = typename P::C;
  constexpr NormStep norm = P::steps().norm;
  constexpr RopeStep rope = P::steps().rope;
  const int lane = static_cast<int>(token_lane % C::lanes);
  const auto heads = find_heads<typename P::Heads>(place, token_lane, k_warp);
  Position position{0, true};
  Frequencies<C> frequencies;
  TableRows<C> rows;
  Angles<C> angles;
  typename P::Head x[P::slots];
  typename P::Weight weight[P::weights];
  char* out[P::slots];
  float sum[P::slots];

  // What is used late is read early: it would be a miss of the constant cache behind the reduction.
  NormNumbers numbers{p.packed_eps, p.packed_offset};
  if constexpr (!P::packed) numbers = {p.stream[k_warp].eps, p.stream[k_warp].offset};
  if constexpr (norm.present) ptx::hold(numbers.eps);
  if constexpr (norm.offset) ptx::hold(numbers.offset);
  if constexpr (C::dependent) ptx::wait_for_predecessor();

  if constexpr (P::reads_position) position = load_position<C>(p, place);
  if constexpr (P::turns) fetch(frequencies, p, lane);
  // Before the heads: the other way round the compiler puts off weights of many heads until they are waited for.
  if constexpr (norm.weight) load_weights<P>(weight, p, heads, lane);
#pragma unroll
  for (int s = 0; s < P::slots; ++s)
    load_head<Memory::data, P::rope>(x[s], find_head<P, false>(p, place, heads, s, lane), lane);
  if constexpr (C::dependent) ptx::launch_dependents();
  // In the shadow of the loads. A packed head goes where it came from.
#pragma unroll
  for (int s = 0; s < P::slots; ++s) {
    out[s] = find_head<P, true>(p, place, heads, s, lane);
    if constexpr (!P::packed) ptx::hold(out[s]);
  }
  if constexpr (P::rows) fetch(rows, p, place, position, lane);

  if constexpr (P::turns) find_angles<rope>(angles, frequencies, position, p.factor, lane);
  if constexpr (norm.present) find_sums<P>(sum, x);
  // A token without an angle gets a NaN for eps, which makes NaN of everything that the norm touches.
  if constexpr (P::may_be_invalid) numbers.eps = if_valid(position, numbers.eps);
  if constexpr (P::rows) find_angles<rope>(angles, rows);
#pragma unroll
  for (int s = 0; s < P::slots; ++s) {
    finish_head<P>(x[s], sum[s], numbers, weight, heads.is_k(s), angles, position, lane);
    if (heads.exists(s)) store_head<P::rope>(out[s], x[s], lane);
  }
}

template <Variant v>
__global__ void __launch_bounds__(v.form.threads, v.form.blocks)
    qk_norm_rope(const __grid_constant__ QkNormRopeLaunch p) {
  constexpr uint32_t q_lanes = kWarp * warps_of(v, Part::q);
  const Place place = find_place<Code<v>>(p);
  const bool k = v.k.heads != 0 && (v.q.heads == 0 || place.lane >= q_lanes);
  const uint32_t lane = place.lane - (k ? q_lanes : 0);
  if constexpr (v.form.packed)
    serve<Path<v, Known::packed>>(p, place, place.lane, false);
  else if constexpr (v.q.heads == 0 || v.k.heads == 0 || same_steps(v))
    serve<Path<v, Known::by_warp>>(p, place, lane, k);
  else if (k)
    serve<Path<v, Known::k>>(p, place, lane, true);
  else
    serve<Path<v, Known::q>>(p, place, lane, false);
}

}  // namespace ropeline::kernel
