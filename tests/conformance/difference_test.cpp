// The comparison itself: what it calls the same, what it does not, and what it says then.

#include "conformance/difference.h"

#include <gtest/gtest.h>

#include "conformance/recipe.h"

namespace ropeline::conformance {
namespace {

Call packed_call() {
  Recipe recipe{.spec = qk_norm_rope({.q = 2, .k = 1, .head_dim = 16}, RmsNorm{}, Rope::neox(CosSinCache{16}))};
  recipe.layout = Layout::packed;
  return make(recipe);
}

std::uint16_t* q_of(Call& call) { return static_cast<std::uint16_t*>(call.args.q.data); }

TEST(Difference, OfACopyIsNothing) {
  const Call call = packed_call(), copy = call;
  EXPECT_EQ(difference(call, copy), "");
  EXPECT_TRUE(same_bytes(call, copy));
}

TEST(Difference, NamesTheElementBothValuesAndTheDistance) {
  Call a = packed_call(), b = a;
  const std::int64_t element = 2 * a.args.q.strides[0] + 16 + 5;  // token 2, head 1, element 5
  q_of(a)[element] = 0x3f80, q_of(b)[element] = 0x3f82;
  const std::string text = difference(a, b);
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "q bf16 batch 0 token 2 head 1 element 5: expected 1 (0x3f80), got 1.01562 (0x3f82), 2 ulp apart; 1 of 96 "
            "differ");
  EXPECT_NE(text.find(a.spec.json()), std::string::npos);
  EXPECT_NE(text.find("recipe: seed 1"), std::string::npos);
}

TEST(Difference, TellsZerosApartAndCountsStepsAcrossThem) {
  Call a = packed_call(), b = a;
  q_of(a)[0] = 0x0001, q_of(b)[0] = 0x8001;
  EXPECT_NE(difference(a, b).find("2 ulp apart"), std::string::npos);
  q_of(a)[0] = 0x0000, q_of(b)[0] = 0x8000;
  EXPECT_NE(difference(a, b), "");
}

TEST(Difference, TakesAnyNaNForAnyOther) {
  Call a = packed_call(), b = a;
  q_of(a)[0] = 0x7fc0, q_of(b)[0] = 0xff81;
  EXPECT_EQ(difference(a, b), "");
  EXPECT_FALSE(same_bytes(a, b));
}

TEST(Difference, SeesAByteThatIsNoOutput) {
  Call a = packed_call(), b = a;
  q_of(b)[3 * 16] ^= 1;  // the v beside q and k
  EXPECT_NE(difference(a, b).find("is no output and was written"), std::string::npos);
  Call c = a;
  static_cast<std::uint16_t*>(c.args.q_weight.data)[0] ^= 1;
  EXPECT_NE(difference(a, c).find("is no output and was written"), std::string::npos);
}

}  // namespace
}  // namespace ropeline::conformance
