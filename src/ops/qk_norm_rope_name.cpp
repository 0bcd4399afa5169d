// A variant as C++ text: designated initialisers in the order of kernels/shared/qk_norm_rope_variant.h.

#include <string>

#include "ops/qk_norm_rope_variant.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

using namespace kernel;

std::string text(bool x) { return x ? "true" : "false"; }
std::string text(int x) { return std::to_string(x); }

std::string text(Element x) {
  constexpr const char* names[] = {"fp32", "fp16", "bf16"};
  return std::string("ropeline::kernel::Element::") + names[static_cast<int>(x)];
}

std::string text(Round x) {
  constexpr const char* names[] = {"none", "end", "inner", "factor"};
  return std::string("ropeline::kernel::Round::") + names[static_cast<int>(x)];
}

std::string text(Source x) {
  constexpr const char* names[] = {"none", "turns", "cache", "half", "repeat", "full"};
  return std::string("ropeline::kernel::Source::") + names[static_cast<int>(x)];
}

std::string text(const NormStep& x);
std::string text(const RopeStep& x);
std::string text(const StreamSteps& x);
std::string text(const Form& x);

// The fields of one struct that differ from their defaults.
class Fields {
 public:
  template <class T>
  Fields& operator()(const char* name, const T& value, const T& standard) {
    if (value == standard) return *this;
    out_.append(out_.size() > 1 ? ",." : ".").append(name).append("=").append(text(value));
    return *this;
  }
  std::string braces() const { return out_ + "}"; }

 private:
  std::string out_ = "{";
};

std::string text(const NormStep& x) {
  const NormStep d;
  return Fields()("present", x.present, d.present)("weight", x.weight, d.weight)("offset", x.offset, d.offset)(
             "mean", x.mean, d.mean)("tiny_eps", x.tiny_eps, d.tiny_eps)("round", x.round, d.round)
      .braces();
}

std::string text(const RopeStep& x) {
  const RopeStep d;
  return Fields()("present", x.present, d.present)("products", x.products, d.products)(
             "table_rounded", x.table_rounded, d.table_rounded)("inverse", x.inverse, d.inverse)
      .braces();
}

std::string text(const StreamSteps& x) {
  const StreamSteps d;
  return Fields()("heads", x.heads, d.heads)("norm", x.norm, d.norm)("rope", x.rope, d.rope).braces();
}

std::string text(const Form& x) {
  const Form d;
  return Fields()("run", x.run, d.run)("access", x.access, d.access)("heads", x.heads, d.heads)(
             "packed", x.packed, d.packed)("tail", x.tail, d.tail)("dependent", x.dependent, d.dependent)(
             "batched", x.batched, d.batched)("tokens", x.tokens, d.tokens)("threads", x.threads, d.threads)(
             "blocks", x.blocks, d.blocks)
      .braces();
}

std::string text(const Variant& x) {
  const Variant d;
  return Fields()("head_dim", x.head_dim, d.head_dim)("rotary_dim", x.rotary_dim, d.rotary_dim)(
             "interleaved", x.interleaved, d.interleaved)("source", x.source, d.source)("factor", x.factor, d.factor)(
             "wide_positions", x.wide_positions, d.wide_positions)("activation", x.activation, d.activation)(
             "weight", x.weight, d.weight)("table", x.table, d.table)("q", x.q, d.q)("k", x.k, d.k)("form", x.form,
                                                                                                    d.form)
      .braces();
}

}  // namespace

std::string kernel_name(const kernel::Variant& variant) {
  return "ropeline::kernel::qk_norm_rope<ropeline::kernel::Variant" + text(variant) + ">";
}

}  // namespace ropeline::ops::qk_norm_rope
