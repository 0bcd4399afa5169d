// The judge itself: it must see a wrong value, a wrong rounding and a wrong bit.

#include "tools/golden/judgement.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/shared/numbers.h"
#include "tools/tensor.h"

namespace ropeline::tools::golden {
namespace {

// A head of 4000 elements, all x.
Tensor filled(DType dtype, float x) {
  Tensor tensor(dtype, {1, 1, 4000});
  for (int i = 0; i < 4000; ++i)
    if (dtype == DType::fp32)
      tensor.as<float>()[i] = x;
    else
      tensor.as<std::uint16_t>()[i] = fp32_to_bf16(x);
  return tensor;
}

std::string fault(const Tensor& got, const Tensor& recorded) {
  Judgement judgement;
  judgement.add(got, recorded, "x");
  return judgement.fault();
}

TEST(Judgement, AcceptsEqualTensors) { EXPECT_EQ(fault(filled(DType::bf16, 1.5f), filled(DType::bf16, 1.5f)), ""); }

TEST(Judgement, AllowsTwoUlpInFiveOfTenThousandElements) {
  Tensor got = filled(DType::bf16, 1.5f);
  got.as<std::uint16_t>()[0] += 2;
  got.as<std::uint16_t>()[17] -= 1;
  EXPECT_EQ(fault(got, filled(DType::bf16, 1.5f)), "");
  got.as<std::uint16_t>()[18] -= 1;
  EXPECT_EQ(
      fault(got, filled(DType::bf16, 1.5f)),
      "3 of 4000 bf16 values differ, 2 are allowed; x, token 0, head 0, element 0: got 1.515625, recorded 1.5, 2 ulp");
}

TEST(Judgement, RefusesThreeUlp) {
  Tensor got = filled(DType::bf16, 1.5f);
  got.as<std::uint16_t>()[9] += 3;
  EXPECT_EQ(fault(got, filled(DType::bf16, 1.5f)),
            "bf16 3 ulp away, 2 are allowed: x, token 0, head 0, element 9: got 1.5234375, recorded 1.5, 3 ulp");
}

TEST(Judgement, RefusesNanForANumber) {
  Tensor got = filled(DType::fp32, 1.5f);
  got.as<float>()[3] = NAN;
  EXPECT_NE(fault(got, filled(DType::fp32, 1.5f)), "");
}

TEST(Judgement, HoldsFp32ToOnePartInAHundredThousand) {
  Tensor got = filled(DType::fp32, 4.0f);
  got.as<float>()[3] = 4.0f + 3e-5f;
  EXPECT_EQ(fault(got, filled(DType::fp32, 4.0f)), "");
  got.as<float>()[3] = 4.0f + 5e-5f;
  EXPECT_NE(fault(got, filled(DType::fp32, 4.0f)), "");
}

TEST(Judgement, CountsBits) {
  Tensor a = filled(DType::bf16, 1.0f), b = filled(DType::bf16, 1.0f);
  EXPECT_EQ(bits_that_differ(a, b), 0);
  b.as<std::uint16_t>()[5] ^= 0x8001;
  EXPECT_EQ(bits_that_differ(a, b), 2);
}

}  // namespace
}  // namespace ropeline::tools::golden
