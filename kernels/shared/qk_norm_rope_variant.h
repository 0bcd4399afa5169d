#pragma once

// What shapes the machine code of qk_norm_rope, as one constant: the template argument of the kernel, and the geometry
// by which the host launches it. Plain data and arithmetic; kernel and host read the same text.

#include "kernels/shared/element.h"

namespace ropeline::kernel {

/// Where a norm rounds to the activation dtype (docs/numerics.md, section 4).
enum class Round : unsigned char { none, end, inner, factor };

/// Where cos and sin come from. `half` reads `dup` rows too: their second half is a copy.
enum class Source : unsigned char { none, turns, cache, half, repeat, full };

struct NormStep {
  bool present = false;
  bool weight = false;
  bool offset = false;    ///< the weight has an offset other than 0
  bool mean = true;       ///< mean of squares, else their sum
  bool tiny_eps = false;  ///< eps below the smallest normal number
  Round round = Round::none;
  bool operator==(const NormStep&) const = default;
};

struct RopeStep {
  bool present = false;  ///< rotates at least one pair
  bool products = false;
  bool table_rounded = false;
  bool inverse = false;
  bool operator==(const RopeStep&) const = default;
};

struct StreamSteps {
  int heads = 0;
  NormStep norm = {};
  RopeStep rope = {};
  bool operator==(const StreamSteps&) const = default;
};

/// How the lanes of a warp divide the heads of a token. A variant has a few of these, for few and for many tokens.
struct Form {
  int run = 4;             ///< neighbouring elements that a lane owns: 2 or 4
  int access = 4;          ///< elements of one load or store: run, or 1 for what is not aligned
  int heads = 1;           ///< heads that a lane works on
  bool packed = false;     ///< in place, a token's heads side by side, q's before k's, and both with the same steps
  bool tail = false;       ///< blocks may hold warps without work
  bool dependent = false;  ///< waits for the kernel before it (programmatic dependent launch)
  bool batched = false;    ///< the call has batches that are not simply more tokens
  int tokens = 1;          ///< tokens of a block
  int threads = 384;       ///< launch bounds: threads of a block (just as many if packed), blocks of a multiprocessor
  int blocks = 1;
  bool operator==(const Form&) const = default;
};

struct Variant {
  int head_dim = 0;
  int rotary_dim = 0;
  bool interleaved = false;
  Source source = Source::none;
  bool factor = false;  ///< the attention factor is not 1
  bool wide_positions = false;
  Element activation = Element::bf16;
  Element weight = Element::bf16;
  Element table = Element::fp32;
  StreamSteps q = {}, k = {};
  Form form = {};
};

// --- a head: D/2 pairs (lo, hi) in the order of docs/numerics.md section 2, cut into runs of neighbouring pairs

enum : int { kWarp = 32 };

ROPELINE_FN constexpr int runs_of_head(const Variant& v) { return v.head_dim / 2 / v.form.run; }

/// A power of two; lanes without a run hold +0.
ROPELINE_FN constexpr int lanes_of_head(const Variant& v) { return least(kWarp, power_of_two_from(runs_of_head(v))); }

ROPELINE_FN constexpr int runs_of_lane(const Variant& v) {
  return power_of_two_from(runs_of_head(v)) / lanes_of_head(v);
}

// --- a token: lane groups that own one head each, or form.heads of them, `groups` apart

/// A warp belongs to one token and to one stream, so that all its lanes run the same code: q's warps first, then k's.
/// Only in a packed form the lanes, and a lane's heads, may be of both.
enum class Part : unsigned char { q, k, both };

ROPELINE_FN constexpr int heads_of(const Variant& v, Part part) {
  return (part == Part::k ? 0 : v.q.heads) + (part == Part::q ? 0 : v.k.heads);
}

ROPELINE_FN constexpr bool same_steps(const Variant& v) { return v.q.norm == v.k.norm && v.q.rope == v.k.rope; }

ROPELINE_FN constexpr int groups_of(const Variant& v, Part part) { return divide_up(heads_of(v, part), v.form.heads); }

ROPELINE_FN constexpr int warps_of(const Variant& v, Part part) {
  return divide_up(groups_of(v, part) * lanes_of_head(v), kWarp);
}

ROPELINE_FN constexpr int warps_of_token(const Variant& v) {
  return v.form.packed ? warps_of(v, Part::both) : warps_of(v, Part::q) + warps_of(v, Part::k);
}

/// Blocks that divide a token between them, when a block has as many threads as it may have.
ROPELINE_FN constexpr int blocks_of_token(const Variant& v) {
  return divide_up(warps_of_token(v), v.form.threads / kWarp);
}

/// Entries of the table of frequencies: zeros behind rotary_dim / 2.
ROPELINE_FN constexpr int padded_frequencies(int head_dim) {
  return head_dim <= 2 * kWarp ? kWarp : power_of_two_from(head_dim / 2);
}

}  // namespace ropeline::kernel
