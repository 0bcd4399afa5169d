#pragma once

// Which elements of a head a lane holds: run w of a lane is run w * lanes + lane of the head, that is the pairs from
// first_pair(w) on. Their lo elements lie side by side, and so do their hi elements.
//
//   NeoX rope:    pair n < RD/2 joins elements n and n + RD/2, the rotary partners; the pairs behind them join the rest
//   interleaved,  pair n joins elements n and n + D/2; rotary partners are neighbours within a run
//   or no rope

#include "kernels/core/device.cuh"
#include "kernels/parts/code.cuh"

namespace ropeline::kernel {

template <class C, bool rope>
struct Layout {
  enum : int { run = C::run, runs = C::runs, lanes = C::lanes };
  enum : int { half_head = C::head_dim / 2, half_rotary = C::rotary_dim / 2 };
  enum : bool { partners = rope && !C::interleaved && half_rotary < half_head };
  enum : bool { spare = runs * lanes * run != half_head };  // some lanes have no such run

  int lane;

  ROPELINE_DEVICE int first_pair(int w) const { return (w * lanes + lane) * run; }

  /// Bytes from the head to the lane's first run.
  ROPELINE_DEVICE uint32_t offset(int size) const { return static_cast<uint32_t>(lane * run * size); }

  ROPELINE_DEVICE bool holds(int w) const { return !spare || first_pair(w) < half_head; }

  /// From element n of the head to the lo element of pair n, and from there to the hi element.
  ROPELINE_DEVICE static int shift(int n) { return partners && n >= half_rotary ? half_rotary : 0; }
  ROPELINE_DEVICE static int distance(int n) {
    if (!partners) return half_head;
    return n < half_rotary ? half_rotary : half_head - half_rotary;
  }
};

}  // namespace ropeline::kernel
