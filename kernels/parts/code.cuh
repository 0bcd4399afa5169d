#pragma once

// The constants of a variant, worked out once: what every template below takes as C. They are enumerators and
// functions: NVRTC keeps each constant that is a variable in the binary, unused or not, and the driver takes long to
// load those.
//
// What a compile costs is, more than anything else, the number of functions that are made for a form: about a third of
// a millisecond each. Hence stages of some length, and small functions only where forms share them.

#include "kernels/shared/qk_norm_rope_variant.h"

namespace ropeline::kernel {

template <Variant v>
struct Code {
  enum : int { head_dim = v.head_dim, rotary_dim = v.rotary_dim };
  enum : bool { interleaved = v.interleaved, factor = v.factor, wide_positions = v.wide_positions };
  ROPELINE_FN static constexpr Source source() { return v.source; }
  ROPELINE_FN static constexpr Element activation() { return v.activation; }
  ROPELINE_FN static constexpr Element weight() { return v.weight; }
  ROPELINE_FN static constexpr Element table() { return v.table; }

  enum : int { q = v.q.heads, k = v.k.heads };  // heads of a token
  enum : int { run = v.form.run, access = v.form.access, tokens = v.form.tokens };
  enum : int { runs = runs_of_lane(v), lanes = lanes_of_head(v), heads = v.form.heads };  // of a lane, of a head
  enum : bool { packed = v.form.packed, tail = v.form.tail };
  enum : bool { dependent = v.form.dependent, batched = v.form.batched };
  enum : int { threads = v.form.threads, blocks = blocks_of_token(v) };  // of a token, if packed
};

}  // namespace ropeline::kernel
