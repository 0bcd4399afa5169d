#include "ropeline/tensor.h"

#include <gtest/gtest.h>

#include "ropeline/error.h"

namespace ropeline {
namespace {

using Sizes = std::initializer_list<std::int64_t>;

std::string refusal(Sizes shape, Sizes strides) try {
  const TensorView view(nullptr, DType::bf16, shape, strides);
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  return error.what();
}

TEST(TensorView, OfAShapeIsDenseAndRowMajor) {
  const TensorView view(nullptr, DType::bf16, {2, 3, 4});
  EXPECT_EQ(view.rank, 3);
  EXPECT_EQ(view.elements(), 24);
  EXPECT_EQ(view.strides, (std::array<std::int64_t, 4>{12, 4, 1, 0}));
}

TEST(TensorView, RefusesARankThatItHasNoRoomFor) {
  EXPECT_EQ(refusal({1, 2, 3, 4, 5}, {1, 1, 1, 1, 1}), "shape: rank 5 is not 0 to 4");
}

TEST(TensorView, RefusesStridesOfAnotherNumber) {
  EXPECT_EQ(refusal({2, 3}, {3}), "strides: 1 for a shape of rank 2");
  EXPECT_EQ(refusal({2, 3}, {6, 3, 1}), "strides: 3 for a shape of rank 2");
}

}  // namespace
}  // namespace ropeline
