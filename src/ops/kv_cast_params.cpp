// The launch of a checked call.

#include "ops/kv_cast.h"

namespace ropeline::ops::kv_cast {
namespace {

// How many values of loc have a row: 0 ... locs - 1.
std::int64_t locs_of(std::int64_t rows, std::int64_t mult, std::int64_t offset) {
  return offset < rows ? (rows - 1 - offset) / mult + 1 : 0;
}

// A step is taken only where a second loc has a row, and a row only where a first one has: what could overflow is never
// needed, and stays 0.
KvCastStream stream(const TensorView& in, const TensorView& cache, const TensorView& scale, std::int64_t locs,
                    const KvCastArgs& args) {
  const std::int64_t first = locs > 0 ? args.offset * cache.strides[0] : 0;
  return {.in = in.data,
          .cache = locs > 0 ? static_cast<char*>(cache.data) + first : nullptr,
          .scale = static_cast<const float*>(scale.data),
          .in_token = in.strides[0],
          .in_head = in.strides[1],
          .cache_loc = locs > 1 ? args.mult * cache.strides[0] : 0,
          .cache_head = cache.strides[1]};
}

}  // namespace

KvCastParams params(const KvCastArgs& args) {
  const std::int64_t locs = locs_of(args.k_cache.shape[0], args.mult, args.offset);
  return {.stream = {stream(args.k, args.k_cache, args.k_scale, locs, args),
                     stream(args.v, args.v_cache, args.v_scale, locs, args)},
          .loc = args.loc.data,
          .loc_token = args.loc.strides[0],
          .locs = static_cast<std::uint64_t>(locs),
          .tokens = args.k.shape[0]};
}

}  // namespace ropeline::ops::kv_cast
