#pragma once

// The constants of a variant, worked out once: what every template below takes as C.

#include "kernels/shared/qk_norm_rope_variant.h"

namespace ropeline::kernel {

template <Variant v>
struct Code {
  static constexpr int head_dim = v.head_dim, rotary_dim = v.rotary_dim;
  static constexpr bool interleaved = v.interleaved, factor = v.factor, wide_positions = v.wide_positions;
  static constexpr Source source = v.source;
  static constexpr Element activation = v.activation, weight = v.weight, table = v.table;

  static constexpr int run = v.form.run, access = v.form.access, tokens = v.form.tokens;
  static constexpr int runs = runs_of_lane(v), lanes = lanes_of_head(v);  // runs of a lane, lanes of a head
  static constexpr int heads_of_lane = v.form.heads;
  static constexpr bool packed = v.form.packed, tail = v.form.tail;
  static constexpr bool dependent = v.form.dependent, batched = v.form.batched;
  static constexpr int threads = v.form.threads, blocks = blocks_of_token(v);  // of a token, if packed

  template <Part part>
  static constexpr StreamSteps steps = part == Part::k ? v.k : v.q;
  template <Part part>
  static constexpr int heads = heads_of(v, part);
};

}  // namespace ropeline::kernel
