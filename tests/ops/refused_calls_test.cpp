// What a call may not bring, each with its sentence, and that not a byte was written when it is refused.

#include <gtest/gtest.h>

#include "conformance/difference.h"
#include "conformance/recipe.h"

namespace ropeline {
namespace {

using conformance::Call;

struct Bad {
  std::string sentence;
  void (*spoil)(Args&);
};

void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.sentence; }

Call good(Angles angles, std::int64_t batches) {
  conformance::Recipe recipe{.spec = qk_norm_rope({.q = 4, .k = 2, .head_dim = 64}, RmsNorm{}, Rope::neox(angles))};
  recipe.batches = batches;
  recipe.in_place = false;
  return make(recipe);
}

void expect_refused(const Call& call, const Bad& bad) {
  Call got = call;
  bad.spoil(got.args);
  const Plan plan = prepare(call.spec, Device::cpu(CpuTarget::scalar));
  try {
    plan.run(got.args);
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), bad.sentence);
    EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  }
  EXPECT_TRUE(conformance::same_bytes(call, got)) << "something was written";
}

class RefusedCalls : public testing::TestWithParam<Bad> {};
TEST_P(RefusedCalls, BeforeAnythingIsWritten) { expect_refused(good(Frequencies::theta(1e4, 64), 0), GetParam()); }

class RefusedBatches : public testing::TestWithParam<Bad> {};
TEST_P(RefusedBatches, BeforeAnythingIsWritten) { expect_refused(good(Frequencies::theta(1e4, 64), 2), GetParam()); }

class RefusedCaches : public testing::TestWithParam<Bad> {};
TEST_P(RefusedCaches, BeforeAnythingIsWritten) { expect_refused(good(CosSinCache{64}, 0), GetParam()); }

class RefusedRows : public testing::TestWithParam<Bad> {};
TEST_P(RefusedRows, BeforeAnythingIsWritten) { expect_refused(good(CosSinRows{48, RowLayout::dup}, 0), GetParam()); }

void shorten(TensorView& view, int dim) { view.shape[dim] -= 1; }
void shift(TensorView& view, int bytes) { view.data = static_cast<char*>(view.data) + bytes; }

INSTANTIATE_TEST_SUITE_P(
    Streams, RefusedCalls,
    testing::Values(
        Bad{"q: missing, the spec has 4 heads", [](Args& a) { a.q = {}; }},
        Bad{"k: missing, the spec has 2 heads", [](Args& a) { a.k = {}; }},
        Bad{"q: rank 2 must be 3 [T, H, D] or 4 [B, T, H, D]", [](Args& a) { a.q.rank = 2; }},
        Bad{"q: 3 heads in shape [3, 3, 64], the spec has 4", [](Args& a) { shorten(a.q, 1); }},
        Bad{"q_out: 3 heads in shape [3, 3, 64], the spec has 4", [](Args& a) { shorten(a.q_out, 1); }},
        Bad{"k: head_dim 63 in shape [3, 2, 63], the spec has 64", [](Args& a) { shorten(a.k, 2); }},
        Bad{"k: 2 tokens in shape [2, 2, 64], the call has 3", [](Args& a) { shorten(a.k, 0); }},
        Bad{"q: dtype fp16 differs from the spec's bf16", [](Args& a) { a.q.dtype = DType::fp16; }},
        Bad{"k_out: dtype fp32 differs from the spec's bf16", [](Args& a) { a.k_out.dtype = DType::fp32; }},
        Bad{"q: is on cuda:0, the plan runs on cpu:scalar", [](Args& a) { a.q.device = Device::cuda(); }},
        Bad{"q: null data for shape [3, 4, 64]", [](Args& a) { a.q.data = nullptr; }},
        Bad{"q: stride 2 of the last dimension must be 1", [](Args& a) { a.q.strides[2] = 2; }},
        Bad{"q: base is aligned to 2 bytes, the spec's alignment is 16", [](Args& a) { shift(a.q, 2); }},
        Bad{"k_out: base is aligned to 8 bytes, the spec's alignment is 16", [](Args& a) { shift(a.k_out, 8); }},
        Bad{"q: base is aligned to 1 bytes, elements of bf16 need 2", [](Args& a) { shift(a.q, 1); }},
        Bad{"q: stride 63 (126 bytes) of dimension 1 is not a multiple of the spec's alignment 16",
            [](Args& a) { a.q.strides[1] = 63; }},
        Bad{"k: -3 tokens in shape [-3, 2, 64], the call has 3", [](Args& a) { a.k.shape[0] = -3; }},
        Bad{"q: shape [-3, 4, 64] with strides [256, 64, 1] is no place in memory", [](Args& a) { a.q.shape[0] = -3; }},
        Bad{"q: shape [3, 4, 64] with strides [4611686018427387904, 64, 1] is no place in memory",
            [](Args& a) { a.q.strides[0] = std::int64_t{1} << 62; }},
        Bad{"v: given, but the spec has no such heads", [](Args& a) { a.v = a.q; }},
        Bad{"q_out: strides [0, 64, 1] of shape [3, 4, 64] make elements overlap",
            [](Args& a) { a.q_out.strides[0] = 0; }}));

INSTANTIATE_TEST_SUITE_P(
    Weights, RefusedCalls,
    testing::Values(
        Bad{"q_weight: missing, the norm of q has a weight [64]", [](Args& a) { a.q_weight = {}; }},
        Bad{"k_weight: shape [63] must be [64]", [](Args& a) { shorten(a.k_weight, 0); }},
        Bad{"q_weight: shape [3, 4, 64] must be [64]", [](Args& a) { a.q_weight = a.q; }},
        Bad{"q_weight: dtype fp32 differs from the spec's bf16", [](Args& a) { a.q_weight.dtype = DType::fp32; }},
        Bad{"q_weight: stride 2 of the last dimension must be 1", [](Args& a) { a.q_weight.strides[0] = 2; }},
        Bad{"k_weight: null data for shape [64]", [](Args& a) { a.k_weight.data = nullptr; }},
        Bad{"q_bias: given, but no step of the spec reads it", [](Args& a) { a.q_bias = a.q_weight; }},
        Bad{"k_scale: given, but no step of the spec reads it", [](Args& a) { a.k_scale = a.q_weight; }}));

INSTANTIATE_TEST_SUITE_P(
    Positions, RefusedCalls,
    testing::Values(
        Bad{"positions: missing, the angles are made from them", [](Args& a) { a.positions = {}; }},
        Bad{"positions: shape [2] must be [3]", [](Args& a) { shorten(a.positions, 0); }},
        Bad{"positions: shape [3, 4, 64] must be [3]", [](Args& a) { a.positions = a.q; }},
        Bad{"positions: shape [3] with strides [4611686018427387904] is no place in memory",
            [](Args& a) { a.positions.strides[0] = std::int64_t{1} << 62; }},
        Bad{"positions: dtype int32 differs from the spec's int64", [](Args& a) { a.positions.dtype = DType::int32; }},
        Bad{"positions: null data for shape [3]", [](Args& a) { a.positions.data = nullptr; }},
        Bad{"cos_sin_cache: given, but no rope of the spec reads it", [](Args& a) { a.cos_sin_cache = a.q_weight; }},
        Bad{"cos: given, but no rope of the spec reads rows", [](Args& a) { a.cos = a.q_weight; }}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, RefusedBatches,
    testing::Values(Bad{"k: rank 3 differs from the other stream's 4",
                        [](Args& a) {
                          a.k = TensorView(a.k.data, DType::bf16, {3, 2, 64});
                        }},
                    Bad{"k: batch size 1 in shape [1, 3, 2, 64], the call has 2", [](Args& a) { shorten(a.k, 0); }},
                    Bad{"positions: shape [2, 2] must be [3] or [2, 3]", [](Args& a) { shorten(a.positions, 1); }},
                    Bad{"q_out: 2 tokens in shape [2, 2, 4, 64], the call has 3",
                        [](Args& a) { shorten(a.q_out, 1); }}));

INSTANTIATE_TEST_SUITE_P(
    Tables, RefusedCaches,
    testing::Values(
        Bad{"cos_sin_cache: missing, the rope reads it", [](Args& a) { a.cos_sin_cache = {}; }},
        Bad{"positions: missing, the angles are made from them", [](Args& a) { a.positions = {}; }},
        Bad{"cos_sin_cache: shape [64, 63] must be [P, 64]", [](Args& a) { shorten(a.cos_sin_cache, 1); }},
        Bad{"cos_sin_cache: shape [64] must be [P, 64]", [](Args& a) { a.cos_sin_cache.rank = 1; }},
        Bad{"cos_sin_cache: dtype bf16 differs from the spec's fp32",
            [](Args& a) { a.cos_sin_cache.dtype = DType::bf16; }},
        Bad{"cos_sin_cache: stride 2 of the last dimension must be 1", [](Args& a) { a.cos_sin_cache.strides[1] = 2; }},
        Bad{"cos_sin_cache: base is aligned to 2 bytes, elements of fp32 need 4",
            [](Args& a) { shift(a.cos_sin_cache, 2); }},
        Bad{"positions: base is aligned to 4 bytes, elements of int64 need 8", [](Args& a) { shift(a.positions, 4); }},
        Bad{"cos_sin_cache: null data for shape [64, 64]", [](Args& a) { a.cos_sin_cache.data = nullptr; }}));

INSTANTIATE_TEST_SUITE_P(Tables, RefusedRows,
                         testing::Values(Bad{"cos: missing, the rope reads rows of it", [](Args& a) { a.cos = {}; }},
                                         Bad{"sin: missing, the rope reads rows of it", [](Args& a) { a.sin = {}; }},
                                         Bad{"cos: shape [3, 47] must be [3, 48]", [](Args& a) { shorten(a.cos, 1); }},
                                         Bad{"sin: shape [2, 48] must be [3, 48]", [](Args& a) { shorten(a.sin, 0); }},
                                         Bad{"sin: strides [64, 1] must equal those of cos, [48, 1]",
                                             [](Args& a) { a.sin.strides[0] = 64; }},
                                         Bad{"positions: given, but no stream makes angles from them",
                                             [](Args& a) { a.positions = a.q_weight; }}));

}  // namespace
}  // namespace ropeline
