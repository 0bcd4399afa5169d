// The kernel text, run on the CPU, gives the reference's bits: every case, in several layouts, with ordinary and
// special values, twice: the second time with other garbage on the stacks, the threads in the opposite order, and
// another one of the values that the hardware's root estimate may have.

#include <gtest/gtest.h>

#include <cstring>

#include "conformance/difference.h"
#include "conformance/specs.h"
#include "conformance/suite.h"
#include "emulator/run.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::emulator {
namespace {

using conformance::Call;
using conformance::Layout;
using conformance::Positions;
using conformance::Random;
using conformance::Recipe;
using conformance::Values;

class Emulated : public testing::TestWithParam<int> {
 protected:
  const Case& of() const {
    static const std::vector<Case> all = cases();
    return all[static_cast<std::size_t>(GetParam())];
  }
};

Recipe random_recipe(const Spec& spec, int index, Random& random) {
  constexpr Layout layouts[] = {Layout::dense,      Layout::packed,     Layout::head_gaps,
                                Layout::token_gaps, Layout::head_major, Layout::backward};
  Recipe r{.spec = spec};
  r.batches = index % 3 == 1 ? 2 : 0;
  r.tokens = index == 0 ? 1 : 2 + random.below(4);
  r.layout = layouts[index % 6];
  r.in_place = index % 2 == 0;
  r.out_layout = random.pick({Layout::dense, Layout::head_gaps, Layout::token_outer});
  r.shift = spec.alignment * random.below(4);
  r.values = index % 3 == 2 ? Values::special : Values::ordinary;
  r.table_values = index % 5 == 3 ? Values::special : Values::ordinary;
  r.positions = static_cast<Positions>(random.below(spec.positions == DType::int64 ? 5 : 4));
  r.shared_angles = random.chance(0.5);
  r.position_stride = 1 + random.below(3);
  r.seed = random.bits();
  return r;
}

/// A GPU wants each element at a multiple of its size, so what a recipe has shifted by less moves to such a place.
void align_elements(Call& call) {
  Args& a = call.args;
  for (TensorView* view : {&a.q_weight, &a.k_weight, &a.positions, &a.cos_sin_cache, &a.cos, &a.sin}) {
    const std::size_t size = size_of(view->dtype);
    if (!*view || reinterpret_cast<std::uintptr_t>(view->data) % size == 0) continue;
    std::int64_t elements = 1;
    for (int i = 0; i < view->rank; ++i) elements += (view->shape[i] - 1) * view->strides[i];
    void* moved = call.memory.allocate(static_cast<std::size_t>(elements) * size, size);
    std::memcpy(moved, view->data, static_cast<std::size_t>(elements) * size);
    view->data = moved;
  }
}

Call make_aligned(const Recipe& recipe) {
  Call call = conformance::make(recipe);
  align_elements(call);
  return call;
}

/// The call of a recipe that the variant takes: what it cannot have is taken back.
Call make_for(const Case& of, Recipe r) {
  if (of.variant.form.packed) r.layout = Layout::packed, r.in_place = true, r.batches = 0;
  if (Call call = make_aligned(r); takes(of, call.args)) return call;
  r.shift = 0, r.position_stride = 1;
  if (Call call = make_aligned(r); takes(of, call.args)) return call;
  r.batches = 0;
  return make_aligned(r);
}

testing::AssertionResult conforms(const Case& of, const Call& expected, Call got, int warps, Conditions conditions) {
  try {
    run(of, got.args, warps, conditions);
  } catch (const Fault& fault) {
    return testing::AssertionFailure() << fault.what() << "\n  " << got.origin;
  }
  const std::string text = conformance::difference(expected, got);
  if (text.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << text << "\n  " << ops::qk_norm_rope::kernel_name(of.variant);
}

TEST_P(Emulated, GivesTheReferencesBits) {
  Random random = conformance::random_of(17, GetParam());
  for (int index = 0; index < (conformance::full_sweep() ? 30 : 6); ++index) {
    const Call call = make_for(of(), random_recipe(of().spec, index, random));
    ASSERT_TRUE(takes(of(), call.args)) << call.origin;
    const Call expected = conformance::run_reference(call);
    const int warps = 1 + random.below(12), units = random.pick({-2, -1, 1, 2});
    EXPECT_TRUE(conforms(of(), expected, call, warps, {.poison = std::byte{0xa5}}));
    EXPECT_TRUE(conforms(of(), expected, call, warps, {std::byte{0x3c}, true, units}));
  }
}

std::string name_of(const testing::TestParamInfo<int>& info) {
  return std::string("case_").append(std::to_string(info.param));
}

INSTANTIATE_TEST_SUITE_P(All, Emulated, testing::Range(0, static_cast<int>(cases().size())), name_of);

}  // namespace
}  // namespace ropeline::emulator
