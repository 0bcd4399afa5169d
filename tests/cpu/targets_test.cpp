// Every instruction set of this machine against the reference, bit for bit, over random specs and calls.

#include <gtest/gtest.h>

#include <cmath>

#include "cpu/element.h"
#include "cpu/random_call.h"
#include "reference/reference.h"
#include "ropeline/device.h"

namespace ropeline::cpu {
namespace {

constexpr int kCases = 600;

/// True for equal bits, and for two NaNs.
template <class E>
bool same(const void* a, const void* b, std::size_t i) {
  using Raw = typename E::Raw;
  const Raw x = static_cast<const Raw*>(a)[i], y = static_cast<const Raw*>(b)[i];
  return std::memcmp(&x, &y, sizeof x) == 0 || (std::isnan(E::widen(x)) && std::isnan(E::widen(y)));
}

/// Compares whole buffers, gaps between rows too.
void expect_same(const Storage& expected, const Storage& actual, std::size_t tensor) {
  with_element(expected.view.dtype, [&](auto e) {
    using E = decltype(e);
    const std::size_t count = expected.words.size() * 4 / sizeof(typename E::Raw);
    int shown = 0;
    for (std::size_t i = 0; i < count && shown < 3; ++i) {
      if (same<E>(expected.words.data(), actual.words.data(), i)) continue;
      const auto value = [&](const Storage& s) {
        return E::widen(reinterpret_cast<const typename E::Raw*>(s.words.data())[i]);
      };
      ADD_FAILURE() << "tensor " << tensor << " element " << i << " (in its row "
                    << i % static_cast<std::size_t>(expected.view.shape[expected.view.rank - 1]) << "): expected "
                    << value(expected) << ", got " << value(actual);
      ++shown;
    }
  });
}

bool is_float(DType type) { return type == DType::bf16 || type == DType::fp16 || type == DType::fp32; }

void compare(std::uint32_t seed, CpuTarget target) {
  const RandomCall call(seed);
  SCOPED_TRACE("seed " + std::to_string(seed) + " " + call.spec().json());
  if (!supports(call.spec(), Device::cpu(target))) return;
  RandomCall::Run expected = call.make(), actual = call.make();
  reference::run(call.spec(), expected.args);
  prepare(call.spec(), Device::cpu(target)).run(actual.args);
  for (std::size_t i = 0; i < expected.storage.size(); ++i) {
    if (is_float(expected.storage[i].view.dtype)) expect_same(expected.storage[i], actual.storage[i], i);
  }
}

class Targets : public testing::TestWithParam<CpuTarget> {};

TEST_P(Targets, EqualTheReference) {
  for (std::uint32_t seed = 0; seed < kCases; ++seed) {
    compare(seed, GetParam());
    if (HasFailure()) return;
  }
}

TEST(RandomCalls, AreMostlySupported) {
  int run = 0;
  for (std::uint32_t seed = 0; seed < kCases; ++seed) run += bool(supports(RandomCall(seed).spec(), Device::cpu()));
  EXPECT_GT(run, kCases * 3 / 4) << supports(RandomCall(0).spec(), Device::cpu()).reason;
}

INSTANTIATE_TEST_SUITE_P(, Targets, testing::ValuesIn(cpu_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(TargetOfTheEnvironment, IsNamedWithItsVariableWhenItIsNone) {
  setenv("ROPELINE_CPU_TARGET", "avx1024", 1);
  const auto [plan, reason] =
      try_prepare(qk_norm_rope({.q = 1, .k = 1, .head_dim = 64}, RmsNorm{}, Rope::neox(Frequencies::theta(1e4, 64))),
                  Device::cpu());
  unsetenv("ROPELINE_CPU_TARGET");
  EXPECT_FALSE(plan);
  EXPECT_EQ(reason.rfind("ROPELINE_CPU_TARGET: cpu target: \"avx1024\" is none of best", 0), 0u) << reason;
}

}  // namespace
}  // namespace ropeline::cpu
