#pragma once

// The one argument of the kernel. Strides count bytes, so that an address is two multiply-adds.

#include "kernels/shared/phase.h"

namespace ropeline::kernel {

struct StreamLaunch {
  const char* in;
  char* out;
  const char* weight;
  int64_t in_token, in_head;
  int64_t out_token, out_head;
  int64_t in_batch, out_batch;
  float eps, offset;
};

struct QkNormRopeLaunch {
  StreamLaunch stream[2];  // q, k
  int64_t tokens;
  const char* positions;
  const Turns* turns;  // padded_frequencies(head_dim) entries on the device, or null
  int64_t position_token, position_batch;
  const char *cos, *sin;  // first row; of a cache, cos and sin of position 0
  int64_t table_row, table_batch;
  int64_t table_rows;
  float factor;  // of cos and sin
};

}  // namespace ropeline::kernel
