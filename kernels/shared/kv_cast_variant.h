#pragma once

// What shapes the machine code of kv_cast: the template argument of the kernel, and the geometry by which the host
// launches it.

#include "kernels/shared/element.h"

namespace ropeline::kernel {

struct KvCastVariant {
  int heads = 0;
  int head_dim = 0;
  Element input = Element::bf16;
  bool wide_loc = true;  ///< loc is int64
  int run = 8;           ///< neighbouring elements that a lane owns, which is one load: 8, 4, 2 or 1
  bool apart = false;    ///< a lane works on k or on v, not on both
  bool operator==(const KvCastVariant&) const = default;
};

enum : int { kKvCastThreads = 128 };  ///< the most of a block

/// Lanes of a token, for k or for v where these are apart.
ROPELINE_FN constexpr int lanes_of(const KvCastVariant& v) { return v.heads * (v.head_dim / v.run); }

}  // namespace ropeline::kernel
