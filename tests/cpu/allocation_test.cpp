// Plan::run promises to allocate nothing. This program's operator new counts, in every thread.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "ropeline/executor.h"
#include "ropeline/plan.h"

namespace {

std::atomic<long> allocations = 0;

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (void* memory = std::aligned_alloc(alignment, rounded ? rounded : alignment)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace ropeline {
namespace {

constexpr std::int64_t kTokens = 200, kDim = 128;  // enough work for a second thread

struct Buffers {
  std::vector<std::uint16_t> q = std::vector<std::uint16_t>(kTokens * 8 * kDim, 0x3f80);
  std::vector<std::uint16_t> k = std::vector<std::uint16_t>(kTokens * 2 * kDim, 0x3f80);
  std::vector<std::uint16_t> weight = std::vector<std::uint16_t>(kDim, 0x3f80);
  std::vector<std::int64_t> positions = std::vector<std::int64_t>(kTokens, 7);

  Args args() {
    const TensorView w(weight.data(), DType::bf16, {kDim});
    return {.q = {q.data(), DType::bf16, {kTokens, 8, kDim}},
            .k = {k.data(), DType::bf16, {kTokens, 2, kDim}},
            .q_weight = w,
            .k_weight = w,
            .positions = {positions.data(), DType::int64, {kTokens}}};
  }
};

class PlanRun : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_cpu_threads(GetParam()); }
  void TearDown() override { set_cpu_threads(1); }
};

TEST_P(PlanRun, AllocatesNothingOnceItsThreadsAreThere) {
  Buffers buffers;
  const Args args = buffers.args();
  const Spec spec =
      qk_norm_rope({.q = 8, .k = 2, .head_dim = kDim}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, kDim)));
  for (const CpuTarget target : cpu_targets()) {
    const Plan plan = prepare(spec, Device::cpu(target));
    plan.run(args);
    const long before = allocations;
    for (int i = 0; i < 20; ++i) plan.run(args);
    EXPECT_EQ(allocations, before) << name_of(target);
  }
}

TEST(Allocations, AreSeenByThisProgram) {
  const long before = allocations;
  ::operator delete(::operator new(1));  // called as functions, so that no compiler leaves them out
  EXPECT_EQ(allocations, before + 1);
}

INSTANTIATE_TEST_SUITE_P(Threads, PlanRun, testing::Values(1, 2));

}  // namespace
}  // namespace ropeline
