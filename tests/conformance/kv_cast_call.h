#pragma once

#include <string>

#include "conformance/memory.h"
#include "conformance/random.h"
#include "conformance/values.h"
#include "ropeline/kv_cast.h"

namespace ropeline::conformance {

/// How k and v lie in memory.
enum class CastInput {
  dense,       ///< each [T, H, D] of its own
  packed,      ///< k then v in rows of one buffer, with something before and behind
  head_gaps,   ///< gaps between the heads
  head_major,  ///< [H, T, D]
  backward,    ///< the last token first in memory
  shared,      ///< every token reads the same row
};

/// How the caches do.
enum class CastCache {
  dense,       ///< each [N, H, D] of its own
  paired,      ///< [N, 2, H, D]: k and v of a row side by side
  head_major,  ///< [H, N, D]
  row_gaps,    ///< gaps between the rows
};

/// Where the tokens go.
enum class Locs {
  scattered,  ///< distinct rows in no order
  holes,      ///< among them negative ones, ones just outside of the cache, far outside, and such that look legal in
              ///< their low half
};

/// What a call of kv_cast is made of.
struct KvCastRecipe {
  KvCastSpec spec;
  std::int64_t tokens = 19, rows = 40;
  CastInput input = CastInput::dense;
  CastCache cache = CastCache::dense;
  Locs locs = Locs::scattered;
  std::int64_t mult = 1, offset = 0, loc_stride = 1;
  int shift = 0;  ///< elements by which bases are off a multiple of 64 bytes
  Values values = Values::ordinary;
  float k_scale = 0.5f, v_scale = 3.0f;
  std::uint64_t seed = 1;
  std::byte poison{0xa5};
};

/// Layouts, values, scales and places at random, within what the spec allows.
KvCastRecipe random_recipe(const KvCastSpec& spec, std::int64_t tokens, Random& random);

/// A call and the memory it lies in. A copy is the same call in memory of its own.
struct KvCastCall {
  KvCastSpec spec;
  Memory memory;
  KvCastArgs args = {};
  std::string origin = {};

  KvCastCall(const KvCastSpec& spec, std::byte poison) : spec(spec), memory(poison) {}
  KvCastCall(const KvCastCall& other);
};

std::vector<TensorView*> views(KvCastArgs& args);

KvCastCall make(const KvCastRecipe& recipe);

/// The first element of a cache in which two runs of one call differ, or the first other byte; an empty string when
/// none does. There is one NaN, so everything is compared by its bits.
std::string difference(const KvCastCall& expected, const KvCastCall& got);

}  // namespace ropeline::conformance
