#include "tools/machine_check.h"

#include "tests/reference/reference.h"
#include "tools/call.h"
#include "tools/golden/judgement.h"
#include "tools/placed.h"
#include "tools/random.h"

namespace ropeline::tools {
namespace {

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

// The tensors of spec number `index`. A cache has a row for every position, so its positions stay small.
Call call_for(const Spec& spec, std::uint64_t index) {
  Random random(index);
  const std::int64_t first = random.one_of(kPositions);
  return made_up_call(
      spec,
      {.tokens = random.one_of(kTokens), .first_position = reads_cache(spec) ? first % 4096 : first, .seed = index});
}

std::int64_t compare(const Tensor& got, const Tensor& meaning, BackendCheck& check) {
  if (!got) return 0;
  check.values += got.view().elements();
  return golden::bits_that_differ(got, meaning);
}

}  // namespace

std::vector<Spec> drawn_specs(int count, std::uint64_t seed) {
  Random random(seed);
  std::vector<Spec> specs;
  for (int i = 0; i < count; ++i) specs.push_back(draw_spec(random));
  return specs;
}

BackendCheck check_device(const std::vector<Spec>& specs, Device device) {
  BackendCheck check;
  for (const Spec& spec : specs) {
    const Call meaning = call_for(spec, static_cast<std::uint64_t>(++check.specs));
    reference::run(spec, meaning.args());
    const Call got = with_fresh_outputs(spec, meaning);
    const Placed placed(got.args(), device);
    prepare(spec, device).run(placed.args());
    placed.fetch();
    const std::int64_t bits = compare(got.q_out, meaning.q_out, check) + compare(got.k_out, meaning.k_out, check);
    if (bits != 0 && check.bits_differ == 0) check.first_different = spec;
    check.bits_differ += bits;
  }
  return check;
}

}  // namespace ropeline::tools
