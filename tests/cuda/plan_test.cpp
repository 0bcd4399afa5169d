// Plans for a GPU on the fake driver: what prepare does and what it leaves behind when a call of the driver fails, and
// what run launches.

#include "ropeline/plan.h"

#include <algorithm>
#include <cstring>

#include "cuda/driver.h"
#include "cuda/qk_norm_rope.h"
#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_argument.h"
#include "ops/qk_norm_rope_launch.h"
#include "ops/qk_norm_rope_variant.h"
#include "ropeline/kernel_source.h"
#include "tests/cuda/fake_device.h"

namespace ropeline {
namespace {

namespace op = ops::qk_norm_rope;

constexpr int kHeads = 4, kDim = 64;

Spec spec_of(int alignment = 16) {
  Spec spec = qk_norm_rope({.q = kHeads, .head_dim = kDim}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, kDim)));
  spec.alignment = alignment;
  return spec;
}

/// Tensors that lie nowhere: the fake driver reads nothing.
Args args_of(std::int64_t batches, std::int64_t tokens, int device = 0) {
  const Device on = Device::cuda(device);
  const auto at = [](std::size_t address) { return reinterpret_cast<void*>(address << 44); };
  return {.q = {at(1), DType::bf16, {batches, tokens, kHeads, kDim}, on},
          .q_weight = {at(2), DType::bf16, {kDim}, on},
          .positions = {at(3), DType::int64, {batches, tokens}, on}};
}

class CudaPlan : public cuda::FakeDevice<kernel::QkNormRopeLaunch> {
 protected:
  /// Of a kernel of the library that was loaded last: the fake driver numbers them as they are asked for.
  char* handle_of(int index, std::size_t kernels) const {
    return reinterpret_cast<char*>(0x1000 + fake.symbols.size() - kernels + 1 + static_cast<std::size_t>(index));
  }

  int count(const std::string& call) const { return static_cast<int>(std::ranges::count(fake.calls, call)); }
};

TEST_F(CudaPlan, PrepareUploadsEveryVariantAndTheFrequencies) {
  {
    const Plan plan = prepare(spec_of(), Device::cuda(1));
    EXPECT_EQ(to_string(plan.device()), "cuda:1");
    EXPECT_EQ(count("upload"), static_cast<int>(op::variants(spec_of()).size()));
    EXPECT_EQ(count("allocate on 1, capture mode 2"), 1);
    EXPECT_EQ(fake.allocations, 1);
    EXPECT_TRUE(fake.launches.empty());
  }
  EXPECT_EQ(fake.allocations, 0) << "the table outlived its plan";
  EXPECT_EQ(fake.current, -1) << "the caller's context was changed";
  EXPECT_EQ(fake.capture_mode, 0);
}

TEST_F(CudaPlan, PrepareFindsWhatWasCompiledAheadFromTheKernelSource) {
  const jit::TemporaryFolder folder;
  jit::Config config = jit::test_config();
  config.cache_folder = folder.path();
  jit::configure(config);
  jit::build(kernel_source(spec_of()), {.architecture = "sm_90"});
  config.compile = false;
  jit::configure(config);
  prepare(spec_of(), Device::cuda());
  EXPECT_EQ(jit::statistics().cache_hits, 1u);
  EXPECT_EQ(count("upload"), static_cast<int>(op::variants(spec_of()).size()));
}

TEST_F(CudaPlan, RunLaunchesTheVariantOfTheRule) {
  const Spec spec = spec_of();
  const Plan plan = prepare(spec, Device::cuda());
  for (const std::int64_t tokens : {1, 2'000, 100'000}) {
    fake.launches.clear();
    const Args args = args_of(1, tokens);
    plan.run(args, {.cuda = &fake});
    ASSERT_EQ(fake.launches.size(), 1u);
    const auto& got = fake.launches[0];
    const auto variants = op::variants(spec);
    const op::Launch right = op::LaunchRule(variants, 132)(op::merged(op::params(args)));
    EXPECT_TRUE(std::ranges::equal(got.grid, right.grid)) << tokens;
    EXPECT_TRUE(std::ranges::equal(got.block, right.block)) << tokens;
    EXPECT_EQ(got.function, handle_of(right.variant, variants.size()) + fake.function_of_kernel) << tokens;
    EXPECT_EQ(got.stream, &fake);
    EXPECT_EQ(got.shared_bytes, 0u);
    EXPECT_TRUE(got.attribute_ids.empty());
  }
}

TEST_F(CudaPlan, TheArgumentHoldsTheCallAndTheTable) {
  const Spec spec = spec_of();
  const Plan plan = prepare(spec, Device::cuda());
  const Args args = args_of(1, 7);
  plan.run(args);
  const auto argument = argument_of(fake.launches.at(0));
  EXPECT_EQ(argument.stream[0].in, args.q.data);
  EXPECT_EQ(argument.stream[0].out, args.q.data);
  EXPECT_EQ(argument.stream[0].in_token, kHeads * kDim * 2);
  EXPECT_EQ(argument.tokens, 7);
  EXPECT_EQ(argument.positions, args.positions.data);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(argument.turns) % 16, 0u);
  const auto table = op::frequency_table(spec);
  EXPECT_EQ(std::memcmp(argument.turns, table.data(), table.size() * sizeof table[0]), 0);  // the fake's memory is ours
}

TEST_F(CudaPlan, BatchesAreMergedOrCutIntoLaunches) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  Args args = args_of(70'000, 2);
  plan.run(args);
  ASSERT_EQ(fake.launches.size(), 1u);
  EXPECT_EQ(argument_of(fake.launches[0]).tokens, 140'000);
  args.positions = TensorView(args.positions.data, DType::int64, {2}, Device::cuda());  // shared: not simply tokens
  plan.run(args);
  ASSERT_EQ(fake.launches.size(), 3u);
  EXPECT_EQ(fake.launches[1].grid[2], 65'535u);
  EXPECT_EQ(fake.launches[2].grid[2], 4'465u);
  const auto bytes = static_cast<const char*>(args.q.data) + std::int64_t{65'535} * 2 * kHeads * kDim * 2;
  EXPECT_EQ(argument_of(fake.launches[2]).stream[0].in, bytes);
}

TEST_F(CudaPlan, RefusedCallsLaunchNothing) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  const auto refusal = [&](const Args& args) {
    try {
      plan.run(args);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_EQ(refusal(args_of(1, 7, 1)), "q: is on cuda:1, the plan runs on cuda:0");
  Args args = args_of(1, 7);
  args.positions.data = static_cast<char*>(args.positions.data) + 4;
  EXPECT_EQ(refusal(args), "positions: base is aligned to 4 bytes, elements of int64 need 8");
  EXPECT_EQ(refusal(args_of(1, std::int64_t{1} << 31)), "tokens: 2147483648 exceed the 2147483647 of a launch");
  EXPECT_TRUE(fake.launches.empty());
}

TEST_F(CudaPlan, NoTokensLaunchNothing) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  plan.run(args_of(1, 0));
  plan.run(args_of(0, 5));
  EXPECT_TRUE(fake.launches.empty());
}

TEST_F(CudaPlan, RunOnAnotherDeviceRestoresTheCurrentOne) {
  const Plan plan = prepare(spec_of(), Device::cuda(1));
  fake.current = 0;
  plan.run(args_of(1, 7, 1));
  ASSERT_EQ(fake.launches.size(), 1u);
  EXPECT_EQ(fake.launches[0].device, 1);
  EXPECT_EQ(fake.current, 0);
  EXPECT_TRUE(fake.below.empty());
}

TEST_F(CudaPlan, RunInAnotherContextOfTheDeviceStaysThere) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  fake.current = 100;
  plan.run(args_of(1, 7));
  ASSERT_EQ(fake.launches.size(), 1u);
  EXPECT_LT(fake.launches[0].function, reinterpret_cast<void*>(fake.function_of_kernel))
      << "a function of another context";
  EXPECT_EQ(fake.current, 100);
  EXPECT_EQ(count("push"), 1) << "prepare's alone";
}

TEST_F(CudaPlan, ARunOfAPreparedPlanIsLegalInACapture) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  fake.capture_status = 1;
  fake.capture_result = cuda::result::capture_implicit;
  const std::vector<std::string> before = fake.calls;
  plan.run(args_of(1, 7));
  EXPECT_EQ(fake.launches.size(), 1u);
  EXPECT_EQ(std::ranges::count(fake.calls, "push"), std::ranges::count(before, "push") + 1);  // and nothing else
  EXPECT_EQ(fake.calls.size(), before.size() + 2);
}

TEST_F(CudaPlan, PrepareIsRefusedWhereACaptureForbidsIt) {
  fake.capture_result = cuda::result::capture_implicit;
  const auto [plan, reason] = try_prepare(spec_of(), Device::cuda());
  EXPECT_FALSE(plan);
  EXPECT_NE(reason.find("qk_norm_rope: cannot be prepared while a stream is being captured into a graph"), reason.npos);
  EXPECT_NE(reason.find("prepare the plan before the capture begins"), reason.npos);
  EXPECT_EQ(fake.allocations, 0);
  EXPECT_EQ(count("upload"), 0);
  EXPECT_TRUE(fake.below.empty());
}

TEST_F(CudaPlan, TwoBuildsOfAVariantAreEqualToTheByte) {
  jit::Source source = cuda::qk_norm_rope::source(spec_of());
  source.kernels.resize(1);
  const auto build = [&] {
    jit::configure(jit::test_config());  // memory only, and that is empty
    return jit::build(source, jit::for_sm_90());
  };
  const jit::Build first = build(), second = build();
  EXPECT_EQ(second.origin, jit::Origin::compiled);
  EXPECT_EQ(first.binary->image, second.binary->image);
  EXPECT_EQ(first.binary->key_text, second.binary->key_text);
}

/// A call of the driver that fails.
class CudaPlanFailure : public CudaPlan, public testing::WithParamInterface<const char*> {};

TEST_P(CudaPlanFailure, LeavesNothingHalfDone) {
  fake.fail[GetParam()] = 2;
  const auto [plan, reason] = try_prepare(spec_of(), Device::cuda());
  EXPECT_FALSE(plan);
  EXPECT_NE(reason.find(GetParam()), reason.npos) << reason;
  EXPECT_NE(reason.find(": CUDA_ERROR_FAKE (fake, 2)"), reason.npos) << reason;
  EXPECT_EQ(fake.allocations, 0);
  EXPECT_EQ(fake.capture_mode, 0);
  EXPECT_EQ(fake.current, -1);
  EXPECT_TRUE(fake.below.empty());
  fake.fail.clear();
  const Plan second = prepare(spec_of(), Device::cuda());
  second.run(args_of(1, 7));
  EXPECT_EQ(fake.launches.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Calls, CudaPlanFailure,
                         testing::Values("cuCtxPushCurrent", "cuKernelGetFunction", "cuFuncLoad", "cuFuncGetAttribute",
                                         "cuMemAlloc", "cuMemcpyHtoD", "cuStreamSynchronize"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(CudaPlan, ALaunchThatFailsSaysWhich) {
  const Plan plan = prepare(spec_of(), Device::cuda());
  fake.launch_result = 700;
  try {
    plan.run(args_of(1, 7));
    FAIL();
  } catch (const jit::Error& error) {
    EXPECT_EQ(error.stage(), jit::Stage::launch);
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
  EXPECT_TRUE(fake.below.empty());
}

TEST_F(CudaPlan, SupportsIsAskedWithoutACompiler) {
  jit::Config config = jit::test_config();
  config.compile = false;
  jit::configure(config);
  EXPECT_TRUE(supports(spec_of(), Device::cuda(1)));
  EXPECT_EQ(supports(spec_of(), Device::cuda(2)).reason, "cuda:2: this machine has 2 CUDA devices");
  const auto [plan, reason] = try_prepare(spec_of(8), Device::cuda());
  EXPECT_FALSE(plan);
  EXPECT_NE(reason.find("is in no cache, and compiling is switched off"), reason.npos) << reason;
}

}  // namespace
}  // namespace ropeline
