#pragma once

// Which elements of a head a lane holds: run w of a lane is run w * lanes + lane of the head, that is as many pairs
// from (w * lanes + lane) * run on. Their lo elements lie side by side, and so do their hi elements.
//
//   NeoX rope:    pair n < RD/2 joins elements n and n + RD/2, the rotary partners; the pairs behind them join the rest
//   interleaved,  pair n joins elements n and n + D/2; rotary partners are neighbours within a run
//   or no rope

#include "kernels/core/device.cuh"
#include "kernels/parts/code.cuh"

namespace ropeline::kernel {

/// Where some neighbouring pairs begin, in elements from where the lane's first lo element would be.
struct Ends {
  int lo, hi;
  bool exist;  // some lanes have no such run
};

/// Of pair i of run w: of the whole run, or of one pair in the form for what is not aligned, because there a run may
/// lie across the end of the rotary part.
template <class C, bool rope>
ROPELINE_DEVICE Ends ends_of(int lane, int w, int i) {
  constexpr int half_head = C::head_dim / 2, half_rotary = C::rotary_dim / 2;
  constexpr bool partners = rope && !C::interleaved && half_rotary < half_head;
  const int first = w * C::lanes * C::run + i, pair = first + lane * C::run;
  const bool exist = C::runs * C::lanes * C::run == half_head || pair < half_head;
  if (!partners) return {first, first + half_head, exist};
  if (pair < half_rotary) return {first, first + half_rotary, exist};
  return {first + half_rotary, first + half_head, exist};
}

}  // namespace ropeline::kernel
