// Every case compiles for every architecture that we name, spills nothing, and touches memory in the widths of its
// form.

#include <gtest/gtest.h>

#include "emulator/cases.h"
#include "kernels/machine_code.h"
#include "kernels/nvrtc.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::kernels {
namespace {

namespace op = ops::qk_norm_rope;
using kernel::Source;
using kernel::Variant;

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto& each : emulator::cases()) all.push_back(each.variant);
  return all;
}

class Compiles : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string reason = why_no_nvrtc(); !reason.empty()) GTEST_SKIP() << reason;
  }
};

MachineCode code_of(const Compiled& compiled) { return machine_code(compiled.cubin, compiled.symbols.at(0)); }

TEST_P(Compiles, EveryVariantWithoutASpill) {
  for (const Variant& v : variants()) {
    const std::string name = op::kernel_name(v);
    const Compiled compiled = compile({name}, GetParam());
    ASSERT_FALSE(compiled.cubin.empty()) << name << "\n" << compiled.log;
    EXPECT_EQ(compiled.log.find("warning"), std::string::npos) << name << "\n" << compiled.log;
    EXPECT_EQ(code_of(compiled).local, 0) << name;
  }
}

/// The model that the figures of docs/kernel.md are for.
Spec qwen3_moe(Style style) {
  Spec spec = qk_norm_rope({32, 4, 128}, RmsNorm{}, {.style = style, .angles = Frequencies::theta(1e6, 128)});
  spec.positions = DType::int32;
  return spec;
}

/// Elements of the heads, weights and frequencies move in `bits` or more; the position is the only narrower load.
void expect_wide(const MachineCode& code, int bits) {
  for (const auto& [width, n] : code.global_stores) EXPECT_GE(width, bits) << n << " stores";
  int narrow = 0;
  for (const auto& [width, n] : code.global_loads) narrow += width < bits ? n : 0;
  EXPECT_LE(narrow, bits > 32 ? 1 : 0);
}

TEST_P(Compiles, AlignedFormsLoadAndStoreWide) {
  for (const Style style : {Style::neox, Style::interleaved})
    for (const Variant& v : op::variants(qwen3_moe(style))) {
      const MachineCode code = code_of(compile({op::kernel_name(v)}, GetParam()));
      SCOPED_TRACE(op::kernel_name(v));
      if (v.form.access > 1) expect_wide(code, v.form.access * 16);
      EXPECT_EQ(code.local, 0);
      RecordProperty(
          "run" + std::to_string(v.form.run) + "_heads" + std::to_string(v.form.heads),
          std::to_string(code.instructions) + " instructions, " + std::to_string(code.registers) + " registers");
    }
}

TEST_P(Compiles, TwiceToTheSameBytes) {
  const std::string name = op::kernel_name(op::variants(qwen3_moe(Style::neox)).front());
  EXPECT_EQ(compile({name}, GetParam()).cubin, compile({name}, GetParam()).cubin);
}

std::string name_of(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Architectures, Compiles, testing::Values("sm_80", "sm_90", "sm_100", "sm_120"), name_of);

}  // namespace
}  // namespace ropeline::kernels
