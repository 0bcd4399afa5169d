// exp and log against 400-bit values.

#include "angles/double_double.h"

#include <gtest/gtest.h>

#include "angles/golden.h"

namespace ropeline::angles {
namespace {

double number(const nlohmann::json& hex) { return std::strtod(hex.get<std::string>().c_str(), nullptr); }

struct Row {
  double x;
  DoubleDouble result;
};

std::vector<Row> rows(const char* function) {
  std::vector<Row> rows;
  for (const auto& row : golden().at(function))
    rows.push_back({number(row.at(0)), {number(row.at(1)), number(row.at(2))}});
  return rows;
}

double distance(DoubleDouble a, DoubleDouble b) { return std::abs((a - b).hi); }

TEST(DoubleDouble, ExpIsRightTo100Bits) {
  for (const Row& row : rows("exp"))
    EXPECT_LE(distance(exp(row.x), row.result), row.result.hi * 0x1p-101 * (1 + std::abs(row.x) / 8)) << row.x;
}

TEST(DoubleDouble, LogIsRightTo100Bits) {
  for (const Row& row : rows("log"))
    EXPECT_LE(distance(log(row.x), row.result), std::abs(row.result.hi) * 0x1p-100) << row.x;
}

TEST(DoubleDouble, ExpUndoesLog) {
  for (double x : {1e-3, 0.5, 2.0, 1e4, 1e6, 11158840.5}) EXPECT_LE(distance(exp(log(x)), x), x * 0x1p-98) << x;
}

TEST(DoubleDouble, DivisionUndoesMultiplication) {
  for (double x : {3.0, -7.0, 1e-20, 1e20}) EXPECT_LE(distance(kTwoPi * x / x, kTwoPi), 0x1p-101) << x;
  EXPECT_LE(distance(kTwoPi * kInverseTwoPi, 1), 0x1p-104);
}

// 1 + 2^-24 lies between two fp32 numbers: the low part decides, which a conversion by way of double forgets.
TEST(DoubleDouble, ConversionToFp32RoundsOnce) {
  EXPECT_EQ(to_float({1 + 0x1p-24, 0x1p-80}), 1 + 0x1p-23f);
  EXPECT_EQ(to_float({1 + 0x1p-24, -0x1p-80}), 1.0f);
  EXPECT_EQ(to_float({1 + 0x1p-24, 0}), 1.0f);
  EXPECT_EQ(to_float({-1 - 0x1p-24, -0x1p-80}), -1 - 0x1p-23f);
  EXPECT_EQ(to_float(0), 0.0f);
}

}  // namespace
}  // namespace ropeline::angles
