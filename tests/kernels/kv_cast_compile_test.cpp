// Every case of kv_cast compiles for every architecture that we name, spills nothing, loads and stores a run at once,
// and converts by the instruction where there is one.

#include <gtest/gtest.h>

#include "emulator/kv_cast_cases.h"
#include "jit/embedded.h"
#include "jit/setting.h"
#include "kernels/machine_code.h"
#include "ops/kv_cast_launch.h"

namespace ropeline::kernels {
namespace {

namespace op = ops::kv_cast;
using kernel::KvCastVariant;

class KvCastCompiles : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    jit::configure(jit::test_config());
    ROPELINE_NEEDS_COMPILER();
  }

  static std::shared_ptr<const jit::Binary> build(const KvCastVariant& v) {
    const std::string text(jit::embedded(op::kernel_file));
    return jit::build({op::kernel_file, text, {op::kernel_name(v)}}, {.architecture = GetParam()}).binary;
  }
};

int accesses(const std::map<int, int>& by_width, int bits) {
  const auto found = by_width.find(bits);
  return found == by_width.end() ? 0 : found->second;
}

/// Of k and of v, or of either, one load and one store, and the scale in 32 bits; and loc.
void expect_whole_runs(const MachineCode& code, const KvCastVariant& v) {
  const int loc = v.wide_loc ? 64 : 32, run = 16 * v.run, streams = v.apart ? 1 : 2;
  EXPECT_EQ(accesses(code.global_loads, run), streams + streams * (run == 32) + (run == loc));
  int all = 0;
  for (const auto& [bits, n] : code.global_loads) all += n;
  EXPECT_EQ(all, 2 * streams + 1);
  EXPECT_EQ(code.global_stores, (std::map<int, int>{{8 * v.run, streams}}));
}

TEST_P(KvCastCompiles, EveryVariantWithoutASpillAndWithWholeRuns) {
  for (const KvCastVariant& v : emulator::kKvCastCases) {
    const auto binary = build(v);
    const jit::KernelFacts& facts = binary->kernels.at(0);
    const MachineCode code = machine_code(binary->image, facts.symbol);
    SCOPED_TRACE(facts.expression);
    EXPECT_EQ(facts.spill_store_bytes + facts.spill_load_bytes + facts.stack_bytes + code.local, 0);
    EXPECT_EQ(binary->image.find("_INTERNAL_"), std::string::npos);
    EXPECT_EQ(binary->image.find(".nv.global"), std::string::npos)
        << "a constant became a variable, which loads slowly";
    expect_whole_runs(code, v);
    std::printf("%s run %d%s: %d instructions, %d registers\n", GetParam(), v.run, v.apart ? " apart" : "",
                code.instructions, facts.registers);
  }
}

/// The integer codec of sm_80 is several times as long as the conversion of sm_89 and later.
TEST_P(KvCastCompiles, ByTheInstructionWhereThereIsOne) {
  const auto binary = build(emulator::kKvCastCases[0]);
  const int instructions = machine_code(binary->image, binary->kernels.at(0).symbol).instructions;
  if (std::string_view(GetParam()) == "sm_80")
    EXPECT_GT(instructions, 300);
  else
    EXPECT_LT(instructions, 240);
}

INSTANTIATE_TEST_SUITE_P(Architectures, KvCastCompiles, testing::Values("sm_80", "sm_89", "sm_90", "sm_100", "sm_120"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace ropeline::kernels
