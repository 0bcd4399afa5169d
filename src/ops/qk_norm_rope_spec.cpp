// What a spec must be, and what of it this version runs.

#include <array>
#include <cmath>
#include <string>

#include "angles/frequencies.h"
#include "error.h"
#include "ops/qk_norm_rope.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

constexpr int kMostHeads = 65536;  // beyond any model, and sums of heads stay far from overflow

struct NamedStream {
  const char* name;
  const StreamSpec& spec;
};

std::array<NamedStream, 3> streams(const Spec& spec) { return {{{"q", spec.q}, {"k", spec.k}, {"v", spec.v}}}; }

bool is_float(DType type) { return type == DType::fp32 || type == DType::fp16 || type == DType::bf16; }

void check(const std::string& at, const Norm& norm) {
  require(std::isfinite(norm.eps) && norm.eps > 0, at, "norm: eps ", norm.eps, " must be a finite number above 0");
  require(std::isfinite(norm.weight_offset), at, "norm: weight_offset ", norm.weight_offset, " must be finite");
  const bool weighted = norm.weight != WeightShape::none;
  require(weighted || !norm.bias, at, "norm: bias needs a weight, weight is none");
  require(weighted || norm.weight_offset == 0, at, "norm: weight_offset ", norm.weight_offset, " needs a weight");
}

void check_axes(const std::string& at, const Rope& rope) {
  const auto count = static_cast<int>(rope.axes.size()), dim = rope.rotary_dim();
  require(count == 0 || count == dim / 2 || count == dim, at, "rope: axes has ", count, " entries, must be ", dim / 2,
          " (one for each frequency) or ", dim);
}

void check_frequencies(const std::string& at, const Frequencies& frequencies) try {
  angles::check(frequencies);
} catch (const Error& error) {
  throw_invalid(text(at, "rope: ", error.what()));
}

void check(const std::string& at, const Rope& rope, int head_dim) {
  const int dim = rope.rotary_dim();
  require(dim >= 0 && dim % 2 == 0, at, "rope: rotary_dim ", dim, " must be even and at least 0");
  require(dim <= head_dim, at, "rope: rotary_dim ", dim, " exceeds head_dim ", head_dim);
  require(rope.offset >= 0 && rope.offset + dim <= head_dim, at, "rope: offset ", rope.offset, " with rotary_dim ", dim,
          " leaves head_dim ", head_dim);
  check_axes(at, rope);
  if (const auto* frequencies = std::get_if<Frequencies>(&rope.angles)) check_frequencies(at, *frequencies);
}

void check(const std::string& at, const Clamp& clamp) {
  require(clamp.bound > 0, at, "clamp: bound ", clamp.bound, " must be above 0");
}

void check_steps(const std::string& at, const StreamSpec& stream, int head_dim) {
  int norms = 0, ropes = 0;
  for (const Step& step : stream.steps) {
    if (const auto* norm = std::get_if<Norm>(&step)) check(at, *norm), ++norms;
    if (const auto* rope = std::get_if<Rope>(&step)) check(at, *rope, head_dim), ++ropes;
    if (const auto* clamp = std::get_if<Clamp>(&step)) check(at, *clamp);
  }
  require(norms <= 1, at, "steps: ", norms, " norms, a stream has at most one");
  require(ropes <= 1, at, "steps: ", ropes, " ropes, a stream has at most one");
}

void check_dtypes(const Spec& spec) {
  const auto bad = [](const char* field, DType type, const char* right) {
    throw_invalid(text(field, ": ", name_of(type), " must be ", right));
  };
  if (!is_float(spec.activation)) bad("activation", spec.activation, "fp32, fp16 or bf16");
  if (spec.weight != spec.activation && spec.weight != DType::fp32)
    bad("weight", spec.weight, text(name_of(spec.activation), " (the activation dtype) or fp32").c_str());
  if (!is_float(spec.table)) bad("table", spec.table, "fp32, fp16 or bf16");
  if (spec.positions != DType::int32 && spec.positions != DType::int64)
    bad("positions", spec.positions, "int32 or int64");
}

// --- support -----------------------------------------------------------------------------------------------------

constexpr const char* kNotYet = " is not run by this version";

std::string unsupported(const std::string& at, const Norm& norm) {
  if (norm.center) return text(at, "norm: center (LayerNorm)", kNotYet);
  if (norm.bias) return text(at, "norm: bias", kNotYet);
  if (norm.weight == WeightShape::row_per_head) return text(at, "norm: weight row_per_head", kNotYet);
  if (norm.extent == Extent::all_heads) return text(at, "norm: extent all_heads", kNotYet);
  return {};
}

std::string unsupported(const std::string& at, const Rope& rope) {
  if (!rope.axes.empty()) return text(at, "rope: axes (M-RoPE)", kNotYet);
  if (rope.offset != 0) return text(at, "rope: offset ", rope.offset, kNotYet);
  const auto* rows = std::get_if<CosSinRows>(&rope.angles);
  if (rows && rows->per_head) return text(at, "rope: rows per_head", kNotYet);
  return {};
}

std::string unsupported_step(const std::string& at, const Step& step) {
  if (const auto* norm = std::get_if<Norm>(&step)) return unsupported(at, *norm);
  if (const auto* rope = std::get_if<Rope>(&step)) return unsupported(at, *rope);
  if (std::holds_alternative<Scale>(step)) return text(at, "scale", kNotYet);
  return text(at, "clamp", kNotYet);
}

std::string unsupported(const std::string& at, const StreamSpec& stream) {
  if (!std::holds_alternative<Output>(stream.sink)) return text(at, "sink: paged_cache", kNotYet);
  for (const Step& step : stream.steps)
    if (std::string reason = unsupported_step(at, step); !reason.empty()) return reason;
  const bool rope_first = stream.steps.size() == 2 && std::holds_alternative<Rope>(stream.steps[0]);
  return rope_first ? text(at, "steps: rope before norm", kNotYet) : std::string();
}

// One call reads one set of angles, in one pair order; only the roundings may differ between q and k.
std::string differing_ropes(const Spec& spec) {
  const Rope *q = spec.q.rope(), *k = spec.k.rope();
  if (!q || !k) return {};
  if (q->angles != k->angles) return text("k.rope: angles that differ from q.rope", kNotYet);
  if (q->style != k->style) return text("k.rope: a style that differs from q.rope", kNotYet);
  return {};
}

}  // namespace

void check(const Spec& spec) {
  require(spec.head_dim >= 16 && spec.head_dim <= 512 && spec.head_dim % 8 == 0, "head_dim: ", spec.head_dim,
          " must be a multiple of 8 from 16 to 512");
  check_dtypes(spec);
  const int a = spec.alignment;
  require(a == 1 || a == 2 || a == 4 || a == 8 || a == 16, "alignment: ", a, " must be 1, 2, 4, 8 or 16");
  require(spec.q.heads || spec.k.heads || spec.v.heads, "spec: no stream has heads; give q, k or v at least one");
  for (const auto& [name, stream] : streams(spec)) {
    require(stream.heads >= 0 && stream.heads <= kMostHeads, name, ".heads: ", stream.heads, " is not from 0 to ",
            kMostHeads);
    check_steps(text(name, "."), stream, spec.head_dim);
  }
}

std::string unsupported(const Spec& spec) {
  if (spec.v.heads) return text("v: a third stream", kNotYet);
  for (const auto& [name, stream] : streams(spec))
    if (std::string reason = unsupported(text(name, "."), stream); !reason.empty()) return reason;
  return differing_ropes(spec);
}

}  // namespace ropeline::ops::qk_norm_rope
