#pragma once

// Which heads a lane works on: slot s of lane group g is head g + s * groups, so that neighbouring groups touch
// neighbouring heads. The stream is a constant where the streams' steps differ, the same for a whole warp otherwise,
// and in a mixed form it may differ from slot to slot and, in the slot where q ends, from lane to lane.

#include "kernels/parts/place.cuh"

namespace ropeline::kernel {

/// A stream that is known when the code is made, or when the warp starts.
enum class Known { q, k, by_warp, by_head };

template <class C, Known known>
struct Heads {
  static constexpr bool mixed = known == Known::by_head;
  static constexpr int q = C::template heads<Part::q>, k = C::template heads<Part::k>;
  static constexpr int most = mixed ? q + k : known == Known::q ? q : known == Known::k || q < k ? k : q;
  static constexpr int slots = divide_up(most, divide_up(most, C::heads_of_lane));

  /// Whether every lane has a head in every slot, for a part of so many heads.
  static constexpr bool fills(int heads) {
    return heads % C::heads_of_lane == 0 && heads / C::heads_of_lane * C::lanes % kWarp == 0;
  }
  static constexpr bool always_full =
      !C::tail && (mixed ? fills(q + k) : (known == Known::k || fills(q)) && (known == Known::q || fills(k)));

  bool k_warp;      // not in a mixed form
  uint32_t group;   // this lane's
  uint32_t count;   // heads of the part
  uint32_t groups;  // their groups
  bool live;

  ROPELINE_DEVICE Heads(const Place& place, uint32_t lane, bool k_warp)
      : k_warp(k_warp),
        group(lane / C::lanes),
        count(mixed    ? q + k
              : k_warp ? k
                       : q),
        groups(mixed    ? divide_up(q + k, C::heads_of_lane)
               : k_warp ? divide_up(k, C::heads_of_lane)
                        : divide_up(q, C::heads_of_lane)),
        live(place.live) {
    if constexpr (!always_full) {
      live = live && group < groups;
      if (group >= groups) group = groups - 1;
    }
  }

  /// Of a lane without a head in this slot: the last one, which it reads and does not write.
  ROPELINE_DEVICE uint32_t head(int s) const {
    const uint32_t h = group + s * groups;
    return always_full || h < count ? h : count - 1;
  }
  ROPELINE_DEVICE bool exists(int s) const { return live && (always_full || group + s * groups < count); }

  static constexpr bool only_q(int s) { return (s + 1) * divide_up(q + k, C::heads_of_lane) <= q; }
  static constexpr bool only_k(int s) { return s * divide_up(q + k, C::heads_of_lane) >= q; }
  ROPELINE_DEVICE bool is_k(int s) const {
    if constexpr (mixed)
      return only_k(s) || (!only_q(s) && head(s) >= q);
    else
      return k_warp;
  }

  /// Where the head of a slot is read and where it is written.
  ROPELINE_DEVICE const char* in(const QkNormRopeLaunch& p, const Place& at, int s) const {
    const StreamLaunch& stream = p.stream[is_k(s)];
    return step(at.template row<C>(stream.in, stream.in_token, stream.in_batch), head_of_stream(s), stream.in_head);
  }
  ROPELINE_DEVICE char* out(const QkNormRopeLaunch& p, const Place& at, int s) const {
    const StreamLaunch& stream = p.stream[is_k(s)];
    return step(at.template row<C>(stream.out, stream.out_token, stream.out_batch), head_of_stream(s), stream.out_head);
  }
  ROPELINE_DEVICE uint32_t head_of_stream(int s) const { return head(s) - (mixed && is_k(s) ? q : 0); }
};

}  // namespace ropeline::kernel
