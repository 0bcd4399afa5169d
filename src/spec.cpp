#include "ropeline/spec.h"

#include "error.h"

namespace ropeline {
namespace {

template <class StepType>
const StepType* find(const std::vector<Step>& steps) {
  for (const Step& step : steps)
    if (const auto* found = std::get_if<StepType>(&step)) return found;
  return nullptr;
}

NormRounding norm_rounding(char cast) {
  switch (cast) {
    case 'A': return NormRounding::inner;
    case 'B':
    case 'G':
    case 'U': return NormRounding::end;
    case 'F': return NormRounding::factor;
  }
  throw_invalid(text("cast '", cast, "' is not one of A, B, G, U, F"));
}

void set_rounding(std::vector<Step>& steps, Rounding rounding) {
  for (Step& step : steps) {
    if (auto* norm = std::get_if<Norm>(&step)) norm->rounding = rounding.norm;
    if (auto* rope = std::get_if<Rope>(&step)) rope->rounding = rounding.rope, rope->table = rounding.table;
  }
}

}  // namespace

Rounding Rounding::model(char cast, char arithmetic) {
  const NormRounding norm = norm_rounding(cast);
  switch (arithmetic) {
    case 'r': return {norm, RopeRounding::products, TableRounding::dtype};
    case 'm': return {norm, RopeRounding::end, TableRounding::dtype};
    case 'f': return {norm, RopeRounding::end, TableRounding::fp32};
  }
  throw_invalid(text("arithmetic '", arithmetic, "' is not one of r, m, f"));
}

int Rope::rotary_dim() const {
  return std::visit([](const auto& source) { return source.rotary_dim; }, angles);
}

const Norm* StreamSpec::norm() const { return find<Norm>(steps); }

const Rope* StreamSpec::rope() const { return find<Rope>(steps); }

Spec Spec::with_dtype(DType activation_and_weight) const {
  Spec spec = *this;
  spec.activation = spec.weight = activation_and_weight;
  return spec;
}

Spec Spec::with_rounding(Rounding rounding) const {
  Spec spec = *this;
  for (StreamSpec* stream : {&spec.q, &spec.k, &spec.v}) set_rounding(stream->steps, rounding);
  return spec;
}

std::int64_t Spec::id() const {
  std::uint64_t digest = 0xcbf29ce484222325u;  // FNV-1a
  for (unsigned char c : json()) digest = (digest ^ c) * 0x100000001b3u;
  digest ^= digest >> 29;
  return static_cast<std::int64_t>(digest & 0x7fffffffffffffffu);
}

Spec qk_norm_rope(Heads heads, Norm norm, Rope rope, Rounding rounding) {
  Spec spec;
  spec.head_dim = heads.head_dim;
  if (heads.q) spec.q = {heads.q, {norm, rope}, {}};
  if (heads.k) spec.k = {heads.k, {norm, rope}, {}};
  return spec.with_rounding(rounding);
}

}  // namespace ropeline
