// The op qk_norm_rope, as the program knows it.

#include <fmt/format.h>

#include "ropeline/error.h"
#include "ropeline/kernel_source.h"
#include "tests/reference/reference.h"
#include "tools/call.h"
#include "tools/op.h"
#include "tools/run_call.h"

namespace ropeline::tools {
namespace {

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::invalid_argument, sentence); }

// --- programs ----------------------------------------------------------------------------------------------------

// The same spec with its angles from elsewhere than the rows that transformers hands over.
Spec with_angles(Spec spec, const std::string& word, const Frequencies& frequencies) {
  if (word == "rows") return spec;
  if (word != "frequencies" && word != "cache")
    refuse(fmt::format("--angles: {} is not rows, frequencies or cache", word));
  for (StreamSpec* stream : {&spec.q, &spec.k})
    for (Step& step : stream->steps)
      if (Rope* rope = std::get_if<Rope>(&step))
        rope->angles = word == "cache" ? Angles(CosSinCache{frequencies.rotary_dim}) : Angles(frequencies);
  return spec;
}

Spec rounded(const Spec& spec, const std::string& word) {
  if (word == "model") return spec;
  if (word == "fused") return spec.with_rounding(Rounding::fused());
  refuse(fmt::format("--rounding: {} is not model or fused", word));
}

// The name of the layer, then whatever is not the default.
std::string name_of(const RankLayer& layer, const std::string& angles, const std::string& rounding) {
  std::string name = layer.name();
  if (angles != "rows") name += " " + angles;
  if (rounding != "model") name += " " + rounding;
  return name;
}

void add_programs_of_qk_norm_rope(std::vector<NamedSource>& sources, const RankLayer& layer,
                                  const ProgramWords& words) {
  for (const std::string& angles : words.angles)
    for (const std::string& rounding : words.rounding)
      sources.push_back({name_of(layer, angles, rounding),
                         kernel_source(rounded(with_angles(layer.spec, angles, layer.frequencies), rounding))});
}

// --- check -------------------------------------------------------------------------------------------------------

constexpr int kHeadDims[] = {16, 32, 64, 72, 80, 96, 128, 160, 192, 256, 512};
constexpr std::int64_t kTokens[] = {1, 2, 7, 16, 70};
constexpr std::int64_t kPositions[] = {0, 1, 4095, 131071, 1048575};
constexpr DType kFloats[] = {DType::fp32, DType::fp16, DType::bf16};
constexpr char kCasts[] = {'A', 'B', 'F'}, kArithmetics[] = {'r', 'm', 'f'};
constexpr RowLayout kLayouts[] = {RowLayout::half, RowLayout::dup, RowLayout::repeat, RowLayout::full};

Angles draw_angles(Random& random, int rotary_dim) {
  const int kind = random.below(3);
  if (kind == 0) return CosSinRows{.rotary_dim = rotary_dim, .layout = random.one_of(kLayouts)};
  if (kind == 1) return Frequencies::theta(random.below(2) ? 1e4 : 1e6, rotary_dim);
  return CosSinCache{rotary_dim};
}

Norm draw_norm(Random& random) {
  const bool weighted = random.below(4) != 0;
  return RmsNorm{.eps = random.below(2) ? 1e-6f : 1e-5f,
                 .weight = weighted ? WeightShape::row : WeightShape::none,
                 .weight_offset = weighted && random.below(2) ? 1.0f : 0.0f};
}

Rope draw_rope(Random& random, int head_dim) {
  const int rotary_dim = random.below(2) ? head_dim : 2 * (1 + random.below(head_dim / 2));
  return {.style = random.below(2) ? Style::neox : Style::interleaved,
          .angles = draw_angles(random, rotary_dim),
          .inverse = random.below(8) == 0};
}

std::vector<Step> draw_steps(Random& random, int head_dim) {
  const int kind = random.below(4);  // norm and rope twice as often as each alone
  std::vector<Step> steps;
  if (kind != 3) steps.push_back(draw_norm(random));
  if (kind != 2) steps.push_back(draw_rope(random, head_dim));
  return steps;
}

Spec draw_spec(Random& random) {
  Spec spec;
  spec.head_dim = random.one_of(kHeadDims);
  const std::vector<Step> steps = draw_steps(random, spec.head_dim);
  spec.q = {.heads = 1 + random.below(8), .steps = steps};
  if (random.below(4)) spec.k = {.heads = 1 + random.below(3), .steps = steps};
  spec = spec.with_dtype(random.one_of(kFloats));
  if (random.below(3) == 0) spec.weight = DType::fp32;
  spec.table = random.one_of(kFloats);
  spec.positions = random.below(2) ? DType::int32 : DType::int64;
  if (random.below(2)) spec = spec.with_rounding(Rounding::model(random.one_of(kCasts), random.one_of(kArithmetics)));
  return spec;
}

bool reads_cache(const Spec& spec) {
  return spec.q.rope() && std::holds_alternative<CosSinCache>(spec.q.rope()->angles);
}

// The call of spec number `index`. A cache has a row for every position, so its positions stay small.
Call call_for(const Spec& spec, std::uint64_t index) {
  Random random(index);
  const std::int64_t first = random.one_of(kPositions);
  return made_up_call(
      spec,
      {.tokens = random.one_of(kTokens), .first_position = reads_cache(spec) ? first % 4096 : first, .seed = index});
}

BackendCheck check_qk_norm_rope(int count, std::uint64_t seed, Device device) {
  return check_drawn(count, seed, device, draw_spec, call_for,
                     [](const Spec& spec, const Args& args) { reference::run(spec, args); });
}

// --- run ---------------------------------------------------------------------------------------------------------

// The spec of the call's words or, when they say nothing of one, that which `--out` wrote beside the tensors.
SourcedSpec source_of(const RunWords& words) {
  if (words.tensors.empty() || words.spec != SpecWords{}) return spec_of(words.spec);
  return {Spec::from_json(recorded_spec(words)), {}};
}

Call call_of(const RunWords& words, const SourcedSpec& source) {
  if (!words.tensors.empty()) return call_from(source.spec, SafeTensors::read(words.tensors));
  return made_up_call(source.spec, {.tokens = words.tokens,
                                    .first_position = words.first_position,
                                    .seed = words.seed,
                                    .frequencies = source.frequencies});
}

std::string run_qk_norm_rope(const RunWords& words) {
  const SourcedSpec source = source_of(words);
  return run_call(words, source.spec, [&] { return call_of(words, source); });
}

}  // namespace

constinit const Op kQkNormRope = {
    .name = "qk_norm_rope",
    .add_programs = add_programs_of_qk_norm_rope,
    .source_of = [](const std::string& json) { return kernel_source(Spec::from_json(json)); },
    .check = check_qk_norm_rope,
    .run = run_qk_norm_rope};

}  // namespace ropeline::tools
