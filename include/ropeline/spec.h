#pragma once

/// The spec: what is fixed for a layer. Three streams of steps (q, k, v), their dtypes, and nothing about tensors.
/// A spec is a plain value: comparable, hashable, printable, and it reads its own printed form.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ropeline/dtype.h"
#include "ropeline/export.h"
#include "ropeline/frequencies.h"

namespace ropeline {

// --- rounding (docs/numerics.md states each mode as a formula; R rounds to the activation dtype) -------------------

/// Where a norm rounds. x = element, inv = 1/sqrt(...), w = weight + offset.
enum class NormRounding : std::uint8_t {
  none,    ///< (x*inv)*w, kept in fp32
  end,     ///< R((x*inv)*w)
  inner,   ///< R(w * R(x*inv)): Llama, Qwen
  factor,  ///< R(x * R(inv))
};

/// Where a rotation rounds.
enum class RopeRounding : std::uint8_t {
  end,       ///< one rounding: fma(a, c, -(b*s)), fma(b, c, a*s)
  products,  ///< R(R(a*c) - R(b*s)), R(R(b*c) + R(a*s)): transformers' eager arithmetic
};

/// Whether cos and sin are used as they are, or rounded to the activation dtype first.
enum class TableRounding : std::uint8_t { fp32, dtype };

/// A consistent choice for a whole spec.
struct Rounding {
  NormRounding norm = NormRounding::none;
  RopeRounding rope = RopeRounding::end;
  TableRounding table = TableRounding::fp32;

  /// What fused kernels do: fp32 throughout and one rounding at the store. The default of a spec written by hand.
  static constexpr Rounding fused() { return {}; }
  /// What the eager model does. cast: A (inner), B, G, U (end), F (factor); arithmetic: r (products, rounded table),
  /// m (end, rounded table), f (end, fp32 table); the letters of docs/models.md. Throws for any other letter.
  ROPELINE_API static Rounding model(char cast, char arithmetic);

  bool operator==(const Rounding&) const = default;
};

// --- steps -------------------------------------------------------------------------------------------------------

/// Shape of a norm's weight: absent, one row for all heads [D] (extent all_heads: [H*D]), or a row for each head [H,
/// D].
enum class WeightShape : std::uint8_t { none, row, row_per_head };

/// What one sum runs over.
enum class Extent : std::uint8_t { head, all_heads };

/// The sum under the root: mean of squares + eps, or plain sum of squares + eps.
enum class SumUnit : std::uint8_t { mean, sum };

/// A normalisation of each head. RmsNorm, LayerNorm and L2Norm below make the usual ones.
struct Norm {
  bool center = false;  ///< subtract the mean first (LayerNorm)
  SumUnit unit = SumUnit::mean;
  float eps = 1e-6f;
  WeightShape weight = WeightShape::row;
  bool bias = false;
  float weight_offset = 0;  ///< Gemma's 1 + w: 1
  Extent extent = Extent::head;
  NormRounding rounding = NormRounding::none;
  bool operator==(const Norm&) const = default;
};

/// y = x / sqrt(mean(x^2) + eps) * (w + offset). Zhang and Sennrich 2019.
struct RmsNorm {
  float eps = 1e-6f;
  WeightShape weight = WeightShape::row;
  float weight_offset = 0;
  Extent extent = Extent::head;
  operator Norm() const { return {.eps = eps, .weight = weight, .weight_offset = weight_offset, .extent = extent}; }
};

/// y = (x - mean) / sqrt(var + eps) * w + b. Ba et al. 2016.
struct LayerNorm {
  float eps = 1e-5f;
  WeightShape weight = WeightShape::row;
  bool bias = true;
  Extent extent = Extent::head;
  operator Norm() const { return {.center = true, .eps = eps, .weight = weight, .bias = bias, .extent = extent}; }
};

/// y = x / sqrt(sum(x^2) + eps), no weight.
struct L2Norm {
  float eps = 1e-6f;
  operator Norm() const { return {.unit = SumUnit::sum, .eps = eps, .weight = WeightShape::none}; }
};

/// Which elements of the rotated slice form a pair: (i, i + rotary_dim/2), or (2i, 2i + 1).
enum class Style : std::uint8_t { neox, interleaved };

/// How a row of cos (and of sin) is laid out, for rotary_dim / 2 = n frequencies.
enum class RowLayout : std::uint8_t {
  half,    ///< n values
  dup,     ///< 2n values, the second half repeats the first (transformers' NeoX tables)
  repeat,  ///< 2n values, each twice in a row (interleaved tables)
  full,    ///< 2n values, one for each element of the slice; the two of a pair may differ
};

/// Angles from a table [P, rotary_dim], cos in the first half of a row and sin in the second, indexed by position.
struct CosSinCache {
  int rotary_dim = 0;
  bool operator==(const CosSinCache&) const = default;
};

/// Angles from cos and sin rows that the caller has gathered for each token: what transformers hands over.
struct CosSinRows {
  int rotary_dim = 0;
  RowLayout layout = RowLayout::half;
  bool per_head = false;  ///< cos and sin differ from head to head
  bool operator==(const CosSinRows&) const = default;
};

/// Where the angles come from: computed in the kernel, or read.
using Angles = std::variant<Frequencies, CosSinCache, CosSinRows>;

/// A rotary embedding of a slice of each head.
struct ROPELINE_API Rope {
  Style style = Style::neox;
  Angles angles = {};
  int offset = 0;  ///< first element of the rotated slice
  std::vector<std::uint8_t> axes =
      {};                ///< M-RoPE: the row of positions [A, T] that feeds frequency i; empty = one axis
  bool inverse = false;  ///< rotate by the negative angle
  RopeRounding rounding = RopeRounding::end;
  TableRounding table = TableRounding::fp32;

  static Rope neox(Angles angles) { return {.style = Style::neox, .angles = std::move(angles)}; }
  static Rope interleaved(Angles angles) { return {.style = Style::interleaved, .angles = std::move(angles)}; }

  /// Elements of the head that are rotated: what the angles say.
  int rotary_dim() const;
  bool operator==(const Rope&) const = default;
};

/// Multiply by a tensor of the caller: shape [T or 1, H or 1, D or 1]. No model's formula lives in a kernel.
struct Scale {
  bool per_token = false, per_head = false, per_dim = false;
  bool round = true;  ///< R after the product
  bool operator==(const Scale&) const = default;
};

/// min(max(x, -bound), bound).
struct Clamp {
  float bound = 0;
  bool operator==(const Clamp&) const = default;
};

using Step = std::variant<Norm, Rope, Scale, Clamp>;

// --- sinks -------------------------------------------------------------------------------------------------------

/// Into the output tensor of the call, or over the input when the call has none.
struct Output {
  bool operator==(const Output&) const = default;
};

/// Into rows ("slots") of a paged KV cache.
struct PagedCache {
  DType dtype = DType::bf16;
  bool also_output = false;  ///< write the output tensor too
  bool operator==(const PagedCache&) const = default;
};

using Sink = std::variant<Output, PagedCache>;

// --- the spec ----------------------------------------------------------------------------------------------------

/// One of q, k, v: its heads (0 = absent), its steps in order, and where the result goes.
struct StreamSpec {
  int heads = 0;
  std::vector<Step> steps = {};
  Sink sink = {};

  /// The norm or the rope among the steps; null when there is none. A stream has at most one of each.
  ROPELINE_API const Norm* norm() const;
  ROPELINE_API const Rope* rope() const;
  bool operator==(const StreamSpec&) const = default;
};

/// Everything that is fixed for a layer. `supports` says whether a device runs it, `prepare` makes a plan of it.
struct ROPELINE_API Spec {
  int head_dim = 0;  ///< a multiple of 8 from 16 to 512
  StreamSpec q = {}, k = {}, v = {};
  DType activation = DType::bf16;  ///< inputs and outputs: fp32, fp16, bf16
  DType weight = DType::bf16;      ///< norm weights: the activation dtype or fp32
  DType table = DType::fp32;       ///< cos and sin, or the cos_sin_cache: fp32, fp16, bf16
  DType positions = DType::int64;  ///< int32 or int64
  int alignment = 16;              ///< bytes that bases and strides of q, k, v and outputs are multiples of: 1 to 16

  /// The same spec with another activation and weight dtype.
  Spec with_dtype(DType activation_and_weight) const;
  /// The same spec with every step's rounding set.
  Spec with_rounding(Rounding rounding) const;

  /// The printed form: JSON, defaults left out, the same text for equal specs.
  std::string json() const;
  /// Reads the printed form. Throws Error{invalid_argument} that names the field, for unknown fields too.
  static Spec from_json(std::string_view text);
  /// 63 bits of a digest of the printed form: stable over processes and machines.
  std::int64_t id() const;

  bool operator==(const Spec&) const = default;
};

/// Head counts of the shorthand.
struct Heads {
  int q = 0, k = 0, head_dim = 0;
};

/// The common case in a sentence: the same norm, then the same rope, on q and k.
ROPELINE_API Spec qk_norm_rope(Heads heads, Norm norm, Rope rope, Rounding rounding = Rounding::fused());

}  // namespace ropeline

template <>
struct std::hash<ropeline::Spec> {
  std::size_t operator()(const ropeline::Spec& spec) const { return static_cast<std::size_t>(spec.id()); }
};
