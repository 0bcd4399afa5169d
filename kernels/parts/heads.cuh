#pragma once

// Which heads a lane works on: slot s of lane group g is head g + s * groups, so that neighbouring groups touch
// neighbouring heads. The stream is a constant where the streams' steps differ and the same for a whole warp otherwise.
// In a packed form q's heads and k's are one row: the stream may differ from slot to slot and, in the slot where q
// ends, from lane to lane.

#include "kernels/parts/place.cuh"

namespace ropeline::kernel {

/// A stream that is known when the code is made, or when the warp starts, or of each head.
enum class Known { q, k, by_warp, packed };

/// Whether a part of so many heads leaves no lane and no slot of its warps empty.
ROPELINE_FN constexpr bool fill_warps(int heads, int of_lane, int lanes) {
  return heads % of_lane == 0 && heads / of_lane * lanes % kWarp == 0;
}

template <class C, Known known>
struct Heads {
  enum : bool { packed = known == Known::packed };
  enum : int { q = C::q, k = C::k, each = C::heads, lanes = C::lanes };
  enum : int { most = packed ? q + k : known == Known::q || (known != Known::k && k < q) ? q : k };
  enum : int { slots = divide_up(most, divide_up(most, each)) };
  /// Whether every lane has a head in every slot.
  enum : bool {
    always_full = !C::tail && (packed ? fill_warps(q + k, each, lanes)
                                      : (known == Known::k || fill_warps(q, each, lanes)) &&
                                            (known == Known::q || fill_warps(k, each, lanes)))
  };

  bool k_warp;      // not in a packed form
  uint32_t group;   // this lane's
  uint32_t count;   // heads of the part
  uint32_t groups;  // their groups
  bool live;

  /// Of a lane without a head in this slot: the last one, which it reads and does not write.
  ROPELINE_DEVICE uint32_t head(int s) const {
    const uint32_t h = group + s * groups;
    return always_full || h < count ? h : count - 1;
  }

  ROPELINE_DEVICE bool exists(int s) const { return live && (always_full || group + s * groups < count); }

  ROPELINE_DEVICE bool is_k(int s) const {
    constexpr int row_groups = divide_up(q + k, each);
    if constexpr (!packed)
      return k_warp;
    else if constexpr (q == 0 || k == 0)
      return q == 0;
    else
      return s * row_groups >= q || ((s + 1) * row_groups > q && head(s) >= q);
  }
};

/// `lane` counts within the part.
template <class Heads>
ROPELINE_DEVICE Heads find_heads(const Place& place, uint32_t lane, bool k_warp) {
  enum : int { all = Heads::packed, q = Heads::q, k = Heads::k, each = Heads::each };
  Heads heads;
  heads.k_warp = k_warp;
  heads.group = lane / Heads::lanes;
  heads.count = all ? q + k : k_warp ? k : q;
  heads.groups = all ? divide_up(q + k, each) : k_warp ? divide_up(k, each) : divide_up(q, each);
  heads.live = place.live;
  if constexpr (!Heads::always_full) {
    heads.live = heads.live && heads.group < heads.groups;
    if (heads.group >= heads.groups) heads.group = heads.groups - 1;
  }
  return heads;
}

}  // namespace ropeline::kernel
