// From a spec to what shapes the kernel's code.

#include "ops/qk_norm_rope_variant.h"

#include <algorithm>
#include <bit>
#include <cfloat>

#include "ops/qk_norm_rope.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

using kernel::Element;
using kernel::Form;
using kernel::Source;
using kernel::Variant;

Element element(DType type) {
  if (type == DType::fp32) return Element::fp32;
  return type == DType::fp16 ? Element::fp16 : Element::bf16;
}

kernel::NormStep step(const Norm& norm) {
  return {.present = true,
          .weight = norm.weight != WeightShape::none,
          .offset = norm.weight_offset != 0,
          .mean = norm.unit == SumUnit::mean,
          .tiny_eps = norm.eps < FLT_MIN,
          .round = static_cast<kernel::Round>(norm.rounding)};
}

kernel::RopeStep step(const Rope& rope) {
  return {.present = true,
          .products = rope.rounding == RopeRounding::products,
          .table_rounded = rope.table == TableRounding::dtype,
          .inverse = rope.inverse};
}

// A stream without heads takes the other's steps: there is nothing to tell apart.
kernel::StreamSteps steps(const StreamSpec& stream, const StreamSpec& other) {
  const StreamSpec& from = stream.heads ? stream : other;
  kernel::StreamSteps result{.heads = stream.heads};
  if (from.norm()) result.norm = step(*from.norm());
  if (from.rope() && from.rope()->rotary_dim() > 0) result.rope = step(*from.rope());
  return result;
}

Source source(const Angles& angles) {
  if (std::holds_alternative<Frequencies>(angles)) return Source::turns;
  if (std::holds_alternative<CosSinCache>(angles)) return Source::cache;
  switch (std::get<CosSinRows>(angles).layout) {
    case RowLayout::repeat: return Source::repeat;
    case RowLayout::full: return Source::full;
    case RowLayout::half:
    case RowLayout::dup: break;
  }
  return Source::half;
}

// Null when no angle is made from a position.
const Frequencies* frequencies_of(const Spec& spec) {
  const Rope* rope = rotation(spec);
  return rope ? std::get_if<Frequencies>(&rope->angles) : nullptr;
}

void set_rope(Variant& variant, const Spec& spec, const Rope& rope) {
  variant.rotary_dim = rope.rotary_dim();
  variant.interleaved = rope.style == Style::interleaved;
  variant.source = source(rope.angles);
  variant.factor = attention_factor(spec) != 1;
  const bool table = variant.source != Source::turns, rows = table && variant.source != Source::cache;
  if (table) variant.table = element(spec.table);
  variant.wide_positions = !rows && spec.positions == DType::int64;
}

Variant without_form(const Spec& spec) {
  Variant variant{.head_dim = spec.head_dim, .activation = element(spec.activation)};
  variant.q = steps(spec.q, spec.k);
  variant.k = steps(spec.k, spec.q);
  variant.weight = variant.q.norm.weight || variant.k.norm.weight ? element(spec.weight) : variant.activation;
  if (const Rope* rope = rotation(spec)) set_rope(variant, spec, *rope);
  return variant;
}

// The longest run that the alignment allows and that the end of the rotary part does not cut. 1: none.
int longest_run(const Spec& spec, const Variant& v) {
  for (const int run : {4, 2}) {
    const bool aligned = run * size_of(v.activation) <= spec.alignment;
    const bool whole = v.interleaved ? v.rotary_dim % run == 0 : v.rotary_dim / 2 % run == 0;
    if (aligned && whole) return run;
  }
  return 1;
}

// Warps of a block that did best on an H100, where they divide a token.
int wanted_warps(const Form& form) { return form.heads > 1 ? 3 : form.run == 2 ? 4 : 6; }

// Tokens with few heads share a block, and blocks need not divide a token. The blocks of a packed form are part of it.
Variant with_form(Variant variant, Form form) {
  variant.form = form;
  if (form.packed) variant.form.threads = form.threads = block_warps(variant, wanted_warps(form)) * kernel::kWarp;
  const int warps = warps_of_token(variant);
  if (form.heads == 2 && !form.packed && warps <= 2) variant.form.tokens = 4 / warps;
  const int most = form.threads / kernel::kWarp;
  variant.form.tail = warps > most && warps % block_warps(variant, most) != 0;
  return variant;
}

constexpr Form kSixHeads{.run = 4, .access = 4, .heads = 6, .packed = true, .threads = 96, .blocks = 8};

// Six heads a lane have 80 registers. The fused norm and rope in bf16 fit; roundings in between, tables, partial
// rotary, lanes without a run and blocks that do not divide a token spill on one architecture or another.
bool fits_six_heads(const Variant& v, int run) {
  const kernel::NormStep norm{.present = true, .weight = v.q.norm.weight, .mean = v.q.norm.mean};
  const kernel::RopeStep rope{.present = true};
  const bool plain = same_steps(v) && v.q.norm == norm && v.q.rope == rope && v.source == Source::turns && !v.factor;
  const bool bf16 = v.activation == Element::bf16 && v.weight == Element::bf16;
  const bool every_lane_works = std::has_single_bit(static_cast<unsigned>(v.head_dim)) && v.rotary_dim == v.head_dim;
  return run == 4 && plain && bf16 && every_lane_works && v.head_dim <= 256 && v.q.heads && v.k.heads &&
         (v.q.heads + v.k.heads) % 12 == 0 && !with_form(v, kSixHeads).form.tail;
}

Form two_heads_packed(int run) { return {.run = run, .access = run, .heads = 2, .packed = true}; }

// A packed block is of one token: of few heads it would have too few threads, and many small blocks are slow to launch.
bool fills_blocks(Variant v, int run) {
  v.form = two_heads_packed(run);
  return warps_of_token(v) >= 3;
}

// One row of heads, done alike. A stream that is absent does not object.
bool may_be_packed(const Spec& spec, const Variant& v) {
  if (v.q.heads == 0 || v.k.heads == 0) return true;
  const Norm *q = spec.q.norm(), *k = spec.k.norm();
  return same_steps(v) && (!q || (q->eps == k->eps && q->weight_offset == k->weight_offset));
}

// Few tokens want the least code in a lane, many the most bytes in flight.
std::vector<Form> forms(const Spec& spec, const Variant& v) {
  const int run = longest_run(spec, v);
  const bool packed = may_be_packed(spec, v);
  std::vector<Form> all;
  if (run > 1) {
    if (v.head_dim <= 128 || run == 2) all.push_back({.run = 2, .access = 2, .packed = packed});
    if (run == 4) all.push_back({.run = 4, .access = 4, .packed = packed});
    if (packed && fits_six_heads(v, run)) all.push_back(kSixHeads);
    if (packed && fills_blocks(v, run)) all.push_back(two_heads_packed(run));
    all.push_back({.run = run, .access = run, .heads = 2, .batched = true});
  }
  all.push_back({.run = 2, .access = 1, .batched = true});
  return all;
}

}  // namespace

int block_warps(const Variant& variant, int wanted) {
  const int warps = warps_of_token(variant), most = variant.form.threads / kernel::kWarp;
  const auto divides = [&](int n) {  // many small blocks are slow to launch
    return n > 0 && n <= std::min(most, warps) && (n > 2 || n == warps) && warps % n == 0;
  };
  for (int distance = 0; distance <= std::max(wanted, most); ++distance) {
    if (divides(wanted + distance)) return wanted + distance;
    if (divides(wanted - distance)) return wanted - distance;
  }
  return std::min(wanted, most);
}

std::vector<Variant> variants(const Spec& spec) {
  const Variant base = without_form(spec);
  std::vector<Variant> all;
  for (const Form& form : forms(spec, base)) all.push_back(with_form(base, form));
  return all;
}

std::vector<Turns> frequency_table(const Spec& spec) {
  const Frequencies* frequencies = frequencies_of(spec);
  if (!frequencies) return {};
  std::vector<Turns> table(kernel::padded_frequencies(spec.head_dim), Turns{0, 0});
  const std::vector<std::uint64_t> turns = frequencies->turns();
  std::transform(turns.begin(), turns.end(), table.begin(), split_turns);
  return table;
}

float attention_factor(const Spec& spec) {
  const Frequencies* frequencies = frequencies_of(spec);
  return frequencies ? frequencies->attention_factor() : 1;
}

}  // namespace ropeline::ops::qk_norm_rope
