#pragma once

// The one argument of the kernel. Strides count bytes, so that an address is two multiply-adds. What every launch of
// few tokens reads first comes first and fills a line of the constant cache.

#include "kernels/shared/phase.h"

namespace ropeline::kernel {

struct StreamLaunch {
  const char* in;
  char* out;
  int64_t in_token, in_head;
  int64_t out_token, out_head;
  int64_t in_batch, out_batch;
  float eps, offset;
};

struct QkNormRopeLaunch {
  const char* positions;
  const Turns* turns;     // padded_frequencies(head_dim) entries on the device, or null
  const char* weight[2];  // q, k
  char* packed;           // of a packed form: the first head of the first token
  uint32_t packed_token;
  float factor;      // of cos and sin
  float packed_eps;  // not beside packed_token: read together, both would come late
  float packed_offset;
  int64_t tokens;
  StreamLaunch stream[2];  // q, k
  int64_t position_token, position_batch;
  const char *cos, *sin;  // first row; of a cache, cos and sin of position 0
  int64_t table_row, table_batch;
  int64_t table_rows;
};

}  // namespace ropeline::kernel
