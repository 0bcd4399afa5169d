#include "tools/golden/expression.h"

#include <fmt/format.h>

#include "ropeline/error.h"

namespace ropeline::tools::golden {
namespace {

using nlohmann::json;

[[noreturn]] void cannot_spell(const std::string& what) { throw Error(ErrorKind::unsupported, what); }

char letter(const json& step, const char* key) { return step.at(key).get<std::string>().at(0); }

NormRounding norm_rounding(const json& step) {
  const char cast = letter(step, "cast");
  if (cast == 'D') cannot_spell("norm cast D rounds after every operation; no NormRounding does");
  return Rounding::model(cast, 'm').norm;
}

Norm norm_of(const json& step) {
  const auto kind = step.at("kind").get<std::string>(), extent = step.at("extent").get<std::string>();
  if (kind == "l2") cannot_spell("norm kind l2 bounds |x| from below; no Norm does");
  Norm norm;
  norm.center = kind == "layernorm";
  norm.unit = kind == "l2_eps" ? SumUnit::sum : SumUnit::mean;
  norm.eps = step.at("eps").get<float>();
  norm.bias = step.contains("bias");
  norm.weight_offset = kind == "rms_plus_one" ? 1.0f : 0.0f;
  norm.extent = extent == "across" ? Extent::all_heads : Extent::head;
  norm.weight = !step.contains("weight") ? WeightShape::none
                : extent == "head_own"   ? WeightShape::row_per_head
                                         : WeightShape::row;
  norm.rounding = norm_rounding(step);
  return norm;
}

Rope rope_of(const json& step, const Angles& angles) {
  const auto style = step.at("style").get<std::string>();
  if (style != "neox" && style != "interleaved") cannot_spell(fmt::format("rope style {} has no Style", style));
  if (step.contains("chunks"))
    cannot_spell(fmt::format("rope in {} chunks; a stream has one rope", step["chunks"].dump()));
  const Rounding rounding = Rounding::model('A', letter(step, "arith"));
  Rope rope;
  rope.style = style == "neox" ? Style::neox : Style::interleaved;
  rope.angles = angles;
  rope.offset = step.at("offset").get<int>();
  rope.inverse = step.value("sign", 1) < 0;
  rope.rounding = rounding.rope;
  rope.table = rounding.table;
  return rope;
}

// The multipliers that models compute: which dimensions they vary over.
std::optional<Scale> scale_of(const std::string& op) {
  if (op == "mul") return Scale{};
  if (op == "head_scale") return Scale{.per_head = true};
  if (op == "softplus_scale") return Scale{.per_dim = true};
  if (op == "token_scale") return Scale{.per_token = true};
  if (op == "head_log_scale") return Scale{.per_token = true, .per_head = true};
  if (op == "square_scale") return Scale{.per_head = true, .per_dim = true};
  return std::nullopt;
}

std::optional<Step> step_of(const json& step, const Setting& setting) {
  const auto op = step.at("op").get<std::string>();
  if (op == "split_gate") return std::nullopt;  // a matter of strides: head_dim() and the input view
  if (op == "norm") return norm_of(step);
  if (op == "rope") return setting.angles ? std::optional<Step>(rope_of(step, *setting.angles)) : std::nullopt;
  if (op == "clamp") return Clamp{step.at("value").get<float>()};
  if (const auto scale = scale_of(op)) return *scale;
  cannot_spell(fmt::format("step {} is unknown to the spec language", op));
}

StreamSpec stream_of(const RecordedStream& stream, const Setting& setting) {
  StreamSpec spec{.heads = stream.heads};
  for (const json& text : stream.steps)
    if (const std::optional<Step> step = step_of(text, setting)) spec.steps.push_back(*step);
  return spec;
}

}  // namespace

std::string names_of(const StreamGroup& streams) {
  std::string names;
  for (const RecordedStream* stream : streams) {
    if (!names.empty()) names += ' ';
    names += stream->name;
  }
  return names;
}

Spec express(const RecordedLayer& layer, const StreamGroup& streams, const Recording& recording,
             const Setting& setting) {
  Spec spec;
  spec.activation = spec.weight = setting.dtype;
  spec.table = setting.table;
  spec.positions = DType::int32;
  for (const RecordedStream* stream : streams) {
    const std::string input =
        fmt::format("{}.{}.{}", layer.name, setting.dtype == DType::bf16 ? "bf16" : "f32", stream->input);
    spec.head_dim = head_dim(*stream, recording.file().at(input));
    (stream->role() == 'q' ? spec.q : stream->role() == 'k' ? spec.k : spec.v) = stream_of(*stream, setting);
  }
  return spec;
}

int head_dim(const RecordedStream& stream, const TensorView& input) {
  const auto width = static_cast<int>(input.shape[2]);
  return find_step(stream, "split_gate") ? width / 2 : width;
}

const json* find_step(const RecordedStream& stream, const char* op) {
  for (const json& step : stream.steps)
    if (step.at("op") == op) return &step;
  return nullptr;
}

}  // namespace ropeline::tools::golden
