#pragma once

// Which heads a lane works on: slot s of lane group g is head g + s * groups, so that neighbouring groups touch
// neighbouring heads. The stream is a constant where the streams' steps differ and the same for a whole warp otherwise.
// In a packed form q's heads and k's are one row: the stream may differ from slot to slot and, in the slot where q
// ends, from lane to lane.

#include "kernels/parts/place.cuh"

namespace ropeline::kernel {

/// A stream that is known when the code is made, or when the warp starts, or of each head.
enum class Known { q, k, by_warp, packed };

template <class C, Known known>
struct Heads {
  enum : bool { packed = known == Known::packed };
  enum : int { q = C::template heads<Part::q>(), k = C::template heads<Part::k>() };
  enum : int { most = packed ? q + k : known == Known::q ? q : known == Known::k || q < k ? k : q };
  enum : int { slots = divide_up(most, divide_up(most, C::heads_of_lane)) };
  enum : int { packed_groups = divide_up(q + k, C::heads_of_lane) };

  /// Whether every lane has a head in every slot, for a part of so many heads.
  static constexpr bool fills(int heads) {
    return heads % C::heads_of_lane == 0 && heads / C::heads_of_lane * C::lanes % kWarp == 0;
  }
  enum : bool {
    always_full =
        !C::tail && (packed ? fills(q + k) : (known == Known::k || fills(q)) && (known == Known::q || fills(k)))
  };

  bool k_warp;      // not in a packed form
  uint32_t group;   // this lane's
  uint32_t count;   // heads of the part
  uint32_t groups;  // their groups
  bool live;

  ROPELINE_DEVICE Heads(const Place& place, uint32_t lane, bool k_warp)
      : k_warp(k_warp),
        group(lane / C::lanes),
        count(packed   ? q + k
              : k_warp ? k
                       : q),
        groups(packed   ? packed_groups
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

  static constexpr bool only_q(int s) { return (s + 1) * packed_groups <= q; }
  static constexpr bool only_k(int s) { return s * packed_groups >= q; }
  ROPELINE_DEVICE bool is_k(int s) const {
    if constexpr (!packed)
      return k_warp;
    else if constexpr (q == 0 || k == 0)
      return q == 0;
    else
      return only_k(s) || (!only_q(s) && head(s) >= q);
  }

  /// Where the head of a slot is read, `offset` bytes into it.
  ROPELINE_DEVICE const char* in(const QkNormRopeLaunch& p, const Place& at, int s, uint32_t offset) const {
    if constexpr (packed) return packed_head(p, at, s, offset);
    const StreamLaunch& stream = p.stream[k_warp];
    return step(at.template row<C>(stream.in, stream.in_token, stream.in_batch), head(s), stream.in_head) + offset;
  }

  /// Where it is written.
  ROPELINE_DEVICE char* out(const QkNormRopeLaunch& p, const Place& at, int s, uint32_t offset) const {
    if constexpr (packed) return packed_head(p, at, s, offset);
    const StreamLaunch& stream = p.stream[k_warp];
    return step(at.template row<C>(stream.out, stream.out_token, stream.out_batch), head(s), stream.out_head) + offset;
  }

 private:
  /// The first slot's address and a constant, where no lane lacks a head.
  ROPELINE_DEVICE char* packed_head(const QkNormRopeLaunch& p, const Place& at, int s, uint32_t offset) const {
    constexpr uint32_t bytes = C::head_dim * size_of(C::activation());
    char* const row = p.packed + static_cast<uint64_t>(at.token) * p.packed_token;
    if constexpr (always_full) return row + (group * bytes + offset) + s * packed_groups * bytes;
    return row + (head(s) * bytes + offset);
  }
};

}  // namespace ropeline::kernel
