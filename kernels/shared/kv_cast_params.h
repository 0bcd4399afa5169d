#pragma once

// What one launch of kv_cast gets: addresses, counts and strides. Plain data, the same for the CPU backend and for the
// kernel. Strides count elements.

#include "kernels/shared/portable.h"

namespace ropeline {

struct KvCastStream {
  const void* in;      // [tokens, heads, head_dim]
  void* cache;         // the cache row of loc 0
  const float* scale;  // one number
  int64_t in_token, in_head;
  int64_t cache_loc, cache_head;  // cache_loc: from the row of one loc to the row of the next
};

struct KvCastParams {
  KvCastStream stream[2];  // k, v
  const void* loc;         // [tokens]
  int64_t loc_token;
  uint64_t locs;  // a token whose loc is none of 0 ... locs - 1 has no row in the cache, and is skipped
  int64_t tokens;
};

}  // namespace ropeline
