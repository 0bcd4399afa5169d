#include "gradient.h"

#include <nlohmann/json.hpp>

#include "error.h"
#include "registry.h"

namespace ropeline::binding {
namespace {

using Json = nlohmann::ordered_json;

std::int64_t register_turns(const Spec& spec, Rope rope) {
  rope.rounding = RopeRounding::end;
  Spec turns;
  turns.head_dim = spec.head_dim;
  turns.q = {2, {rope}, {}};  // one head for each unit vector of a pair
  turns.activation = turns.weight = DType::fp32;
  turns.table = spec.table;
  turns.positions = spec.positions;
  return register_spec(turns);
}

Json describe(const Norm& norm) {
  if (norm.center || norm.bias || norm.extent != Extent::head || norm.weight == WeightShape::row_per_head)
    throw_unsupported("norm: LayerNorm, all_heads and a weight for each head have no gradient yet");
  return {{"kind", "norm"},
          {"eps", norm.eps},
          {"mean", norm.unit == SumUnit::mean},
          {"weighted", norm.weight != WeightShape::none},
          {"offset", norm.weight_offset}};
}

Json describe(const Spec& spec, const Rope& rope) {
  return {{"kind", "rope"},
          {"first", rope.offset},
          {"pairs", rope.rotary_dim() / 2},
          {"interleaved", rope.style == Style::interleaved},
          {"turns", register_turns(spec, rope)}};
}

Json describe(const Spec& spec, const StreamSpec& stream) {
  Json steps = Json::array();
  for (const Step& step : stream.steps) {
    const auto* norm = std::get_if<Norm>(&step);
    const auto* rope = std::get_if<Rope>(&step);
    if (!norm && !rope) throw_unsupported("scale and clamp have no gradient yet");
    if (norm) steps.push_back(describe(*norm));
    if (rope && rope->rotary_dim() > 0) steps.push_back(describe(spec, *rope));
  }
  return steps;
}

}  // namespace

std::string gradient_json(const Spec& spec) {
  return Json{{"q", describe(spec, spec.q)}, {"k", describe(spec, spec.k)}}.dump();
}

}  // namespace ropeline::binding
