// What a spec must be.

#include "error.h"
#include "ops/kv_cast.h"

namespace ropeline::ops::kv_cast {
namespace {

constexpr int kMostHeads = 8192;  // beyond any model, and within the grid of a launch

}  // namespace

void check(const KvCastSpec& spec) {
  require(spec.heads >= 1 && spec.heads <= kMostHeads, "heads: ", spec.heads, " is not from 1 to ", kMostHeads);
  require(spec.head_dim >= 8 && spec.head_dim <= 512 && spec.head_dim % 8 == 0, "head_dim: ", spec.head_dim,
          " must be a multiple of 8 from 8 to 512");
  require(spec.input == DType::bf16 || spec.input == DType::fp16, "input: ", name_of(spec.input),
          " must be bf16 or fp16");
  require(spec.loc == DType::int32 || spec.loc == DType::int64, "loc: ", name_of(spec.loc), " must be int32 or int64");
  const int a = spec.alignment;
  require(a == 2 || a == 4 || a == 8 || a == 16, "alignment: ", a, " must be 2, 4, 8 or 16");
}

}  // namespace ropeline::ops::kv_cast
