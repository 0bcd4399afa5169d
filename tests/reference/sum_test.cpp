// The order of the sums, spelled out by hand: docs/numerics.md, section 2.

#include "reference/sum.h"

#include <gtest/gtest.h>

namespace ropeline::reference {
namespace {

TEST(PairsOf, NoRopeTakesHalvesOfTheHead) { EXPECT_EQ(pairs_of(8, nullptr), (Pairs{{0, 4}, {1, 5}, {2, 6}, {3, 7}})); }

TEST(PairsOf, AnInterleavedRopeTakesHalvesToo) {
  const Rope rope = Rope::interleaved(CosSinCache{4});
  EXPECT_EQ(pairs_of(8, &rope), pairs_of(8, nullptr));
}

TEST(PairsOf, ANeoxRopeTakesRotaryPartnersThenTheRest) {
  const Rope rope = Rope::neox(CosSinCache{4});
  EXPECT_EQ(pairs_of(12, &rope), (Pairs{{0, 2}, {1, 3}, {4, 8}, {5, 9}, {6, 10}, {7, 11}}));
}

TEST(PairsOf, ASliceInTheMiddleLeavesTheRestAscending) {
  Rope rope = Rope::neox(CosSinCache{4});
  rope.offset = 2;
  EXPECT_EQ(pairs_of(8, &rope), (Pairs{{2, 4}, {3, 5}, {0, 6}, {1, 7}}));
}

TEST(PairsOf, AFullOrAnEmptySliceIsTheSameAsNone) {
  const Rope full = Rope::neox(CosSinCache{8}), empty = Rope::neox(CosSinCache{0});
  EXPECT_EQ(pairs_of(8, &full), pairs_of(8, nullptr));
  EXPECT_EQ(pairs_of(8, &empty), pairs_of(8, nullptr));
}

constexpr float kBig = 0x1p24f;  // from here on a 1 is lost

TEST(Tree, AddsNeighboursFirst) {
  EXPECT_EQ(tree({kBig, 1, 1, 0}), kBig);      // (B + 1) + (1 + 0): both ones are lost
  EXPECT_EQ(tree({kBig, 0, 1, 1}), kBig + 2);  // (B + 0) + (1 + 1)
  EXPECT_EQ(tree({1, kBig, 1, -kBig}), 1);     // B + -(B - 1); from left to right it would be 0, by halves 2
}

TEST(Tree, PadsWithZerosAtTheEnd) {
  EXPECT_EQ(tree({1, 2, 3}), 6);
  EXPECT_EQ(tree({1, 1, kBig}), kBig + 2);  // (1 + 1) + (B + 0)
  EXPECT_EQ(tree({kBig, 1, 1}), kBig);      // (B + 1) + (1 + 0)
  EXPECT_EQ(tree({5}), 5);
}

TEST(Sums, OfSquaresFuseTheUpperElement) {
  // hi*hi + lo*lo with hi = 1 + 2^-12: exact square 1 + 2^-11 + 2^-24; alone it rounds to 1 + 2^-11, fused with 2^-24
  // it does not.
  const float hi = 1 + 0x1p-12f, lo = 0x1p-12f;
  EXPECT_EQ(sum_of_squares({lo, hi}, {{0, 1}}), 1 + 0x1p-11f + 0x1p-23f);
  EXPECT_EQ(sum_of_squares({hi, lo}, {{0, 1}}), 1 + 0x1p-11f);
}

}  // namespace
}  // namespace ropeline::reference
