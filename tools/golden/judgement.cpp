#include "tools/golden/judgement.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "tools/tensor.h"

namespace ropeline::tools::golden {
namespace {

constexpr int kMaxUlp = 2;
constexpr double kMaxError = 1e-5;

// One ulp of bf16 at that size. Below 1/256 of the largest element of its head an element is the difference of larger
// ones, and its own ulp says nothing about the arithmetic.
double ulp_of(float recorded, float largest_of_head) {
  const double size = std::max<double>(std::abs(recorded), static_cast<double>(largest_of_head) / 256 + 1e-30);
  return std::exp2(std::floor(std::log2(size)) - 7);
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

float largest(const TensorView& dense, std::int64_t first, std::int64_t count) {
  float most = 0;
  for (std::int64_t i = first; i < first + count; ++i) most = std::max(most, std::abs(value_at(dense, i)));
  return most;
}

std::string describe(const std::string& what, const TensorView& view, std::int64_t i, float got, float recorded,
                     const std::string& distance) {
  const std::int64_t d = view.shape[2], h = view.shape[1];
  return fmt::format("{}, token {}, head {}, element {}: got {}, recorded {}, {}", what, i / (d * h), i / d % h, i % d,
                     got, recorded, distance);
}

}  // namespace

void Judgement::add(const TensorView& got, const TensorView& recorded, const std::string& what) {
  const std::int64_t values = recorded.elements(), width = recorded.shape[2];
  const bool bf16 = recorded.dtype == DType::bf16;
  (bf16 ? bf16_values : fp32_values) += values;
  float peak = 0;
  for (std::int64_t i = 0; i < values; ++i) {
    if (i % width == 0) peak = largest(recorded, i, width);
    const float x = value_at(got, i), y = value_at(recorded, i);
    if (same(x, y)) continue;
    const double distance = std::isfinite(x) && std::isfinite(y) ? std::abs(static_cast<double>(x) - y) : HUGE_VAL;
    if (bf16) {
      const int ulp = static_cast<int>(std::min(std::ceil(distance / ulp_of(y, peak)), 1e6));
      ++bf16_differ;
      if (ulp > bf16_worst_ulp) worst = describe(what, recorded, i, x, y, fmt::format("{} ulp", ulp));
      bf16_worst_ulp = std::max(bf16_worst_ulp, ulp);
    } else {
      const double error = distance / std::max(1.0f, std::abs(y));
      if (error > std::max(fp32_worst_error, kMaxError))
        worst = describe(what, recorded, i, x, y, fmt::format("error {:.1e}", error));
      fp32_worst_error = std::max(fp32_worst_error, error);
    }
  }
}

void Judgement::add(const Judgement& other) {
  if (other.bf16_worst_ulp > bf16_worst_ulp || other.fp32_worst_error > std::max(fp32_worst_error, kMaxError))
    worst = other.worst;
  bf16_values += other.bf16_values;
  bf16_differ += other.bf16_differ;
  bf16_worst_ulp = std::max(bf16_worst_ulp, other.bf16_worst_ulp);
  fp32_values += other.fp32_values;
  fp32_worst_error = std::max(fp32_worst_error, other.fp32_worst_error);
}

std::int64_t Judgement::allowance() const { return std::max<std::int64_t>(2, bf16_values / 2000); }

std::string Judgement::fault() const {
  if (bf16_worst_ulp > kMaxUlp)
    return fmt::format("bf16 {} ulp away, {} are allowed: {}", bf16_worst_ulp, kMaxUlp, worst);
  if (bf16_differ > allowance())
    return fmt::format("{} of {} bf16 values differ, {} are allowed; {}", bf16_differ, bf16_values, allowance(), worst);
  if (!(fp32_worst_error <= kMaxError))
    return fmt::format("fp32 error {:.1e}, {:.0e} is allowed: {}", fp32_worst_error, kMaxError, worst);
  return {};
}

std::int64_t bits_that_differ(const TensorView& a, const TensorView& b) {
  const auto* x = static_cast<const std::uint8_t*>(a.data);
  const auto* y = static_cast<const std::uint8_t*>(b.data);
  const std::size_t bytes = static_cast<std::size_t>(a.elements()) * size_of(a.dtype);
  std::int64_t bits = 0;
  for (std::size_t i = 0; i < bytes; ++i) bits += std::popcount(static_cast<std::uint8_t>(x[i] ^ y[i]));
  return bits;
}

}  // namespace ropeline::tools::golden
