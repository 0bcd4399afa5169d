// Positions: any of 32 bits is legal, anything else makes its own token NaN and no other.

#include <cmath>

#include "conformance/specs.h"
#include "conformance/suite.h"
#include "kernels/shared/numbers.h"

namespace ropeline::conformance {
namespace {

ROPELINE_CONFORMANCE(PositionsOfTokens);

Spec spec_of(Angles angles, Style style, DType positions) {
  const Rope rope{.style = style, .angles = std::move(angles)};
  Spec spec = qk_norm_rope({.q = 3, .k = 2, .head_dim = 64}, RmsNorm{}, rope);
  spec.positions = positions;
  return spec;
}

TEST_P(PositionsOfTokens, EveryKindWithEverySource) {
  for (Style style : {Style::neox, Style::interleaved})
    for (DType type : {DType::int32, DType::int64})
      for (auto positions :
           {Positions::counting, Positions::table, Positions::far, Positions::edges, Positions::wide}) {
        if (positions == Positions::wide && type == DType::int32) continue;  // wider than the dtype
        for (const Angles& angles : {Angles{Frequencies::theta(1e6, 48)}, Angles{CosSinCache{48}}}) {
          Recipe recipe{.spec = spec_of(angles, style, type)};
          recipe.tokens = 40;
          recipe.positions = positions;
          ASSERT_TRUE(conforms(GetParam(), recipe));
        }
      }
}

/// Whether all elements of a token of q are NaN, or none is.
enum class Row { numbers, nans, mixed };

Row row_of(const Call& call, std::int64_t token) {
  const TensorView q = written(call)[0].view;
  int nans = 0;
  for (std::int64_t i = 0; i < q.shape[1] * q.shape[2]; ++i)
    nans += std::isnan(bf16_to_fp32(static_cast<const std::uint16_t*>(q.data)[token * q.strides[0] + i]));
  return nans == 0 ? Row::numbers : nans == q.shape[1] * q.shape[2] ? Row::nans : Row::mixed;
}

/// Runs a call whose positions are given and returns what became of each token.
std::vector<Row> rows_at(const Backend& backend, const Angles& angles, const std::vector<std::int64_t>& positions) {
  Recipe recipe{.spec = spec_of(angles, Style::neox, DType::int64)};
  recipe.tokens = static_cast<std::int64_t>(positions.size());
  Call call = make(recipe);
  std::copy(positions.begin(), positions.end(), static_cast<std::int64_t*>(call.args.positions.data));
  const Call done = run(backend, std::move(call));
  std::vector<Row> rows;
  for (std::int64_t t = 0; t < recipe.tokens; ++t) rows.push_back(row_of(done, t));
  return rows;
}

// Stated without the reference: which tokens are lost is a promise of its own.
TEST_P(PositionsOfTokens, BeyondThirtyTwoBitsAreNaNAndNeighboursAreNot) {
  const std::int64_t two31 = std::int64_t{1} << 31;
  const auto rows = rows_at(GetParam(), Frequencies::theta(1e6, 48),
                            {0, two31 - 1, two31, -two31, -two31 - 1, 2 * two31, 2 * two31 + 7, 131071, -1});
  const std::vector<Row> right = {Row::numbers, Row::numbers, Row::nans,    Row::numbers, Row::nans,
                                  Row::nans,    Row::nans,    Row::numbers, Row::numbers};
  EXPECT_EQ(rows, right);
}

TEST_P(PositionsOfTokens, OutsideTheTableAreNaNAndNeighboursAreNot) {
  const std::int64_t wrapped = (std::int64_t{1} << 32) + 5;
  const auto rows = rows_at(GetParam(), CosSinCache{48}, {0, 63, 64, -1, 5, wrapped, -64, 1 << 20, 62});
  const std::vector<Row> right = {Row::numbers, Row::numbers, Row::nans, Row::nans,   Row::numbers,
                                  Row::nans,    Row::nans,    Row::nans, Row::numbers};
  EXPECT_EQ(rows, right);
}

TEST_P(PositionsOfTokens, AStreamWithoutRopeKeepsItsNumbers) {
  Recipe recipe{.spec = spec_of(CosSinCache{48}, Style::neox, DType::int64)};
  recipe.spec.q.steps.pop_back();
  recipe.tokens = 2;
  Call call = make(recipe);
  static_cast<std::int64_t*>(call.args.positions.data)[0] = -1;
  const Call done = run(GetParam(), call);
  EXPECT_EQ(row_of(done, 0), Row::numbers);
  EXPECT_EQ(difference(run_reference(call), done), "");
}

}  // namespace
}  // namespace ropeline::conformance
