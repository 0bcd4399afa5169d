#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "ropeline/kv_cast.h"

namespace ropeline::conformance {

/// A call of kv_cast whose heads lie gigabytes apart, in memory that only exists where it is touched: an offset that is
/// cut to 32 bits lands elsewhere.
class FarCall {
 public:
  static constexpr std::int64_t kTokens = 2, kHeads = 2, kDim = 64, kGiga = std::int64_t{1} << 30;

  FarCall() : inputs_(map(kInputBytes)), caches_(map(kCacheBytes)) {
    const auto input = [&](std::int64_t first) {
      return TensorView(inputs_ + 2 * first, DType::bf16, {kTokens, kHeads, kDim}, {3 * kGiga, kGiga, 1});
    };
    const auto cache = [&](std::int64_t first) {
      return TensorView(caches_ + first, DType::fp8_e4m3, {kTokens, kHeads, kDim}, {4 * kGiga, 2 * kGiga, 1});
    };
    args = {.k = input(0), .v = input(4096), .k_cache = cache(0), .v_cache = cache(4096)};
    args.k_scale = args.v_scale = {&scale_, DType::fp32, {}};
    args.loc = {locs_, DType::int64, {kTokens}};
    for_each_head([&](std::int64_t token, std::int64_t head) {
      for (std::int64_t i = 0; i < kDim; ++i)
        for (const TensorView& in : {args.k, args.v})
          static_cast<std::uint16_t*>(in.data)[token * in.strides[0] + head * in.strides[1] + i] =
              static_cast<std::uint16_t>(0x3f80 + 7 * i + 31 * head + 57 * token + (in.data == args.v.data));
    });
  }
  FarCall(const FarCall&) = delete;
  FarCall& operator=(const FarCall&) = delete;
  ~FarCall() { munmap(inputs_, kInputBytes), munmap(caches_, kCacheBytes); }

  static KvCastSpec spec() { return {.heads = kHeads, .head_dim = kDim}; }

  /// Whether the caches hold the same codes where the call writes.
  bool equals(const FarCall& other) const {
    bool equal = true;
    for_each_head([&](std::int64_t row, std::int64_t head) {
      for (const std::int64_t first : {0, 4096}) {
        const std::int64_t at = first + row * 4 * kGiga + head * 2 * kGiga;
        equal = equal && std::memcmp(caches_ + at, other.caches_ + at, kDim) == 0;
      }
    });
    return equal;
  }

  KvCastArgs args;

 private:
  static constexpr std::size_t kInputBytes = 2 * 4 * kGiga + 65536, kCacheBytes = 6 * kGiga + 65536;

  static char* map(std::size_t bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::runtime_error("mmap");
    return static_cast<char*>(at);
  }

  template <class Visit>
  static void for_each_head(const Visit& visit) {
    for (std::int64_t row = 0; row < kTokens; ++row)
      for (std::int64_t head = 0; head < kHeads; ++head) visit(row, head);
  }

  char *inputs_, *caches_;
  float scale_ = 0.25f;
  std::int64_t locs_[kTokens] = {1, 0};
};

}  // namespace ropeline::conformance
