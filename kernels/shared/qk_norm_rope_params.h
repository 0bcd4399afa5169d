#pragma once

// What one launch of qk_norm_rope gets: addresses, counts and strides, no choices. The choices are the variant's.
// Plain data, the same for the CPU backend and for the kernel. Strides count elements.

#include "kernels/shared/portable.h"

namespace ropeline {

struct StreamParams {
  const void* in;
  void* out;           // equals in when the op runs in place
  const void* weight;  // [D], or null
  int64_t in_batch, in_token, in_head;
  int64_t out_batch, out_token, out_head;
};

struct QkNormRopeParams {
  StreamParams q, k;
  int64_t batches, tokens;

  const void* positions;  // [batches, tokens], or null
  int64_t position_batch, position_token;

  const void* cos;  // rows: first row; cache: the table, whose row p holds cos then sin
  const void* sin;  // rows: first row; cache: cos + rotary_dim / 2
  int64_t table_batch, table_row;
  int64_t table_rows;  // rows of the cache
};

}  // namespace ropeline
