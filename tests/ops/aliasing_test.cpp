#include "ops/aliasing.h"

#include <gtest/gtest.h>

#include <vector>

namespace ropeline::ops {
namespace {

constexpr std::int64_t kTokens = 5, kDim = 16;

struct Buffer {
  std::vector<std::uint16_t> memory = std::vector<std::uint16_t>(1 << 14);

  TensorView at(std::int64_t offset, std::initializer_list<std::int64_t> shape,
                std::initializer_list<std::int64_t> strides) {
    return TensorView(memory.data() + offset, DType::bf16, shape, strides);
  }
  // `heads` heads of a packed row of `row` heads, from head `first` on.
  TensorView slice(std::int64_t first, std::int64_t heads, std::int64_t row) {
    return at(first * kDim, {kTokens, heads, kDim}, {row * kDim, kDim, 1});
  }
};

TEST(Aliasing, PackedSlicesAreApart) {
  Buffer b;
  EXPECT_FALSE(may_overlap(b.slice(0, 4, 8), b.slice(4, 2, 8)));
  EXPECT_FALSE(may_overlap(b.slice(4, 2, 8), b.slice(0, 4, 8)));
  EXPECT_FALSE(may_overlap(b.slice(0, 4, 8), b.slice(6, 2, 8)));
}

TEST(Aliasing, TheStrideOfASizeOfOneDoesNotCount) {
  Buffer b;
  const TensorView one = b.at(0, {1, 2, kDim}, {64, kDim, 1});
  EXPECT_TRUE(same_place(one, b.at(0, {1, 2, kDim}, {128, kDim, 1})));
  EXPECT_FALSE(same_place(one, b.at(0, {1, 2, kDim}, {64, 2 * kDim, 1})));
}

TEST(Aliasing, PackedSlicesThatShareAHeadOverlap) {
  Buffer b;
  EXPECT_TRUE(may_overlap(b.slice(0, 4, 8), b.slice(3, 2, 8)));
  EXPECT_TRUE(may_overlap(b.slice(0, 4, 8), b.slice(0, 4, 8)));
}

TEST(Aliasing, ASliceThatWrapsIntoTheNextRowOverlaps) {
  Buffer b;
  EXPECT_TRUE(may_overlap(b.slice(0, 2, 8), b.slice(6, 3, 8)));  // its third head is the next token's first
}

TEST(Aliasing, OneElementIsEnough) {
  Buffer b;
  const TensorView k = b.at(4 * kDim - 1, {kTokens, 2, kDim}, {8 * kDim, kDim, 1});
  EXPECT_TRUE(may_overlap(b.slice(0, 4, 8), k));
}

TEST(Aliasing, DifferentRowsCountAsOverlapWhereRangesMeet) {
  Buffer b;
  EXPECT_TRUE(may_overlap(b.slice(0, 4, 8), b.slice(4, 2, 9)));
}

TEST(Aliasing, DisjointRangesAreApartWhateverTheStrides) {
  Buffer b;
  EXPECT_FALSE(may_overlap(b.slice(0, 4, 8), b.at(4096, {kTokens, 2, kDim}, {7 * kDim, kDim, 1})));
}

TEST(Aliasing, HeadsFirstBatchesOfOneBufferAreApart) {
  Buffer b;  // [B, H, T, D] with q and k as slices of H, seen as [B, T, H, D]
  const std::int64_t head = kTokens * kDim, batch = 6 * head;
  const TensorView q = b.at(0, {3, kTokens, 4, kDim}, {batch, kDim, head, 1});
  const TensorView k = b.at(4 * head, {3, kTokens, 2, kDim}, {batch, kDim, head, 1});
  EXPECT_FALSE(may_overlap(q, k));
  EXPECT_TRUE(may_overlap(q, b.at(3 * head, {3, kTokens, 2, kDim}, {batch, kDim, head, 1})));
}

TEST(Aliasing, BatchesOfPackedRowsAreApart) {
  Buffer b;
  const std::int64_t row = 8 * kDim, batch = kTokens * row;
  const TensorView q = b.at(0, {3, kTokens, 4, kDim}, {batch, row, kDim, 1});
  EXPECT_FALSE(may_overlap(q, b.at(4 * kDim, {3, kTokens, 4, kDim}, {batch, row, kDim, 1})));
  EXPECT_TRUE(may_overlap(q, b.at(4 * kDim, {3, kTokens, 5, kDim}, {batch, row, kDim, 1})));
}

TEST(Aliasing, QueryAndKeyOfOneHeadSideBySideAreApart) {
  Buffer b;  // [T, H, 3, D]: fused qkv as Persimmon stores it
  const std::int64_t row = 4 * 3 * kDim;
  const TensorView q = b.at(0, {kTokens, 4, kDim}, {row, 3 * kDim, 1});
  EXPECT_FALSE(may_overlap(q, b.at(kDim, {kTokens, 4, kDim}, {row, 3 * kDim, 1})));
  EXPECT_TRUE(may_overlap(q, b.at(kDim - 1, {kTokens, 4, kDim}, {row, 3 * kDim, 1})));
}

TEST(Aliasing, EmptyViewsNeverOverlap) {
  Buffer b;
  EXPECT_FALSE(may_overlap(b.slice(0, 4, 8), b.at(0, {0, 4, kDim}, {8 * kDim, kDim, 1})));
}

TEST(Aliasing, SamePlaceIsBaseShapeStridesAndType) {
  Buffer b;
  EXPECT_TRUE(same_place(b.slice(0, 4, 8), b.slice(0, 4, 8)));
  EXPECT_FALSE(same_place(b.slice(0, 4, 8), b.slice(0, 3, 8)));
  EXPECT_FALSE(same_place(b.slice(0, 4, 8), b.slice(0, 4, 9)));
  EXPECT_FALSE(same_place(b.slice(0, 4, 8), b.slice(1, 4, 8)));
}

TEST(Aliasing, AViewThatFoldsOntoItselfIsSeen) {
  Buffer b;
  EXPECT_FALSE(overlaps_itself(b.slice(0, 4, 8)));
  EXPECT_TRUE(overlaps_itself(b.at(0, {kTokens, 4, kDim}, {0, kDim, 1})));
  EXPECT_TRUE(overlaps_itself(b.at(0, {kTokens, 4, kDim}, {4 * kDim, kDim - 1, 1})));
  EXPECT_TRUE(overlaps_itself(b.at(0, {kTokens, 4, kDim}, {4 * kDim - 1, kDim, 1})));
  EXPECT_FALSE(overlaps_itself(b.at(0, {kTokens, 4, kDim}, {kDim, kTokens * kDim, 1})));  // heads first
  EXPECT_FALSE(overlaps_itself(b.at(0, {1, 4, kDim}, {0, kDim, 1})));                     // one token: stride is idle
  EXPECT_FALSE(overlaps_itself(b.at(0, {3, 0, 4, kDim}, {0, 4 * kDim, kDim, 1})));        // no token at all
}

}  // namespace
}  // namespace ropeline::ops
