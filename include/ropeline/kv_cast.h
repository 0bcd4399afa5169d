#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "ropeline/dtype.h"
#include "ropeline/plan_of.h"
#include "ropeline/tensor.h"

/// kv_cast: keys and values of a layer, quantised to FP8 and written into rows of the KV cache, in one pass.
namespace ropeline {

namespace jit {
struct Source;
}

/// What is fixed for a layer.
struct ROPELINE_API KvCastSpec {
  int heads = 0;              ///< of k, and of v: 1 to 8192
  int head_dim = 0;           ///< a multiple of 8 from 8 to 512
  DType input = DType::bf16;  ///< k and v: bf16 or fp16
  DType loc = DType::int64;   ///< loc: int32 or int64
  int alignment = 16;         ///< bytes that bases and strides of k and v are multiples of, at least: 2, 4, 8 or 16.
                              ///< Those of the caches are multiples of half as many: the same number of elements. A
                              ///< call that has 16 all the same runs as fast as with 16

  /// The printed form: JSON, defaults left out, the same text for equal specs.
  std::string json() const;
  /// Reads the printed form. Throws Error{invalid_argument} that names the field, for unknown fields too.
  static KvCastSpec from_json(std::string_view text);

  auto operator<=>(const KvCastSpec&) const = default;
};

/// The tensors of one call. T = tokens, H = heads, D = head_dim, N = rows of a cache.
///
/// k and v are [T, H, D] with any stride for T and H, each its own, and unit stride in D; the caches are [N, H, D] in
/// the same way, both of one shape. Zero tokens are legal.
///
/// Token t goes to row `loc[t] * mult + offset` of both caches. A token whose loc is negative, or whose row is not in
/// the cache, is skipped: nothing is written for it. The product never overflows. Rows of two tokens must differ; if
/// they do not, the row holds bytes of either.
///
/// An element becomes `E4M3(x * (1 / scale))`: 1 / scale and the product rounded to fp32, then one rounding to nearest
/// even, saturating at 448 (docs/numerics.md, section 7). The scales are read on the device.
///
/// Aliasing: the caches share no byte with any other tensor of the call, nor with each other.
struct ROPELINE_API KvCastArgs {
  TensorView k = {}, v = {};              ///< input dtype; read
  TensorView k_cache = {}, v_cache = {};  ///< fp8_e4m3; written
  TensorView k_scale = {}, v_scale = {};  ///< one fp32 number each: [] or [1]
  TensorView loc = {};                    ///< [T], loc dtype of the spec, any stride
  std::int64_t mult = 1;                  ///< at least 1
  std::int64_t offset = 0;                ///< at least 0
};

using KvCastPlan = PlanOf<KvCastSpec, KvCastArgs>;
using KvCastPrepareResult = PrepareResultOf<KvCastPlan>;

/// As for every op (plan_of.h, plan.h).
ROPELINE_API Support supports(const KvCastSpec& spec, Device device) noexcept;
ROPELINE_API KvCastPlan prepare(const KvCastSpec& spec, Device device);
ROPELINE_API KvCastPrepareResult try_prepare(const KvCastSpec& spec, Device device) noexcept;

/// The CUDA program behind a spec, for who compiles ahead of time (kernel_source.h; include jit.h to use it).
ROPELINE_API jit::Source kernel_source(const KvCastSpec& spec);

}  // namespace ropeline
