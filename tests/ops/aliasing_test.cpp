#include "ops/aliasing.h"

#include <gtest/gtest.h>

#include <vector>

namespace ropeline::ops {
namespace {

constexpr std::int64_t kTokens = 5, kDim = 16;

Extent extent_of(const TensorView& view) {
  Extent extent;
  EXPECT_TRUE(measure(view, 2, extent));
  return extent;
}

bool may_overlap(const TensorView& a, const TensorView& b) { return ops::may_overlap(extent_of(a), extent_of(b)); }
bool overlaps_itself(const TensorView& view) { return ops::overlaps_itself(extent_of(view)); }

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

TEST(Extent, IsFromTheLowestToPastTheHighestElement) {
  Buffer b;
  const auto bytes = [&](const TensorView& view) {
    const Extent e = extent_of(view);
    const auto base = reinterpret_cast<std::intptr_t>(b.memory.data());
    return e.is_empty() ? std::pair<std::intptr_t, std::intptr_t>() : std::pair(e.begin - base, e.end - base);
  };
  EXPECT_EQ(bytes(b.at(8, {3, 4}, {16, 1})), std::pair(std::intptr_t{16}, std::intptr_t{16 + 2 * 35 + 2}));
  EXPECT_EQ(bytes(b.at(100, {3, 4}, {-16, 1})), std::pair(std::intptr_t{200 - 64}, std::intptr_t{200 + 8}));
  EXPECT_EQ(bytes(b.at(8, {1, 4}, {std::int64_t{1} << 62, 1})), std::pair(std::intptr_t{16}, std::intptr_t{24}));
  EXPECT_EQ(bytes(b.at(8, {}, {})), std::pair(std::intptr_t{16}, std::intptr_t{18}));
  EXPECT_TRUE(extent_of(b.at(8, {3, 0}, {16, 1})).is_empty());
}

TEST(Extent, NoMemoryHasElementsSoManyOrSoFarApart) {
  constexpr std::int64_t far = std::int64_t{1} << 57;
  const auto has_place = [](std::int64_t count, std::int64_t stride) {
    Extent extent;
    return measure(TensorView(nullptr, DType::bf16, {count, 2}, {stride, 1}), 2, extent);
  };
  EXPECT_TRUE(has_place(2, far));
  EXPECT_FALSE(has_place(2, far + 1));
  EXPECT_TRUE(has_place(2, -far));
  EXPECT_FALSE(has_place(2, -far - 1));
  EXPECT_FALSE(has_place(3, std::int64_t{1} << 62));
  EXPECT_TRUE(has_place(far / 2, 0));
  EXPECT_FALSE(has_place(far / 2 + 1, 0));
  EXPECT_FALSE(has_place(std::int64_t{1} << 62, 0));
  EXPECT_FALSE(has_place(-1, 2));
  EXPECT_TRUE(has_place(0, std::int64_t{1} << 62));
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
