// Every case compiles for every architecture that we name, spills nothing, and touches memory in the widths of its
// form. The library's own JIT compiles: no header but those of kernels/, no include path.

#include "emulator/cases.h"
#include "jit/embedded.h"
#include "jit/setting.h"
#include "kernels/machine_code.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::kernels {
namespace {

namespace op = ops::qk_norm_rope;
using kernel::Variant;

class Compiles : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    forget();
    ROPELINE_NEEDS_COMPILER();
  }

  // What is in memory, so that the next build compiles. A remark of the compiler is a failure.
  static void forget() {
    jit::Config config = jit::test_config();
    config.on_event = [](const jit::Event& event) {
      if (event.kind == jit::Event::Kind::warning) ADD_FAILURE() << event.text;
    };
    jit::configure(config);
  }

  static std::shared_ptr<const jit::Binary> build(const Variant& v) {
    const std::string text(jit::embedded(op::kernel_file));
    return jit::build({op::kernel_file, text, {op::kernel_name(v)}}, {.architecture = GetParam()}).binary;
  }
};

MachineCode code_of(const jit::Binary& binary) { return machine_code(binary.image, binary.kernels.at(0).symbol); }

/// A run of q or k moves whole, in one access of up to 128 bits; the form for what is not aligned, element by element.
/// Every element that is stored was loaded in the same width (tables, weights and positions are loaded besides).
void expect_whole_runs(const MachineCode& code, const Variant& v) {
  const int bits = std::min(128, 8 * v.form.access * kernel::size_of(v.activation));
  ASSERT_EQ(code.global_stores.size(), 1u) << "stores of several widths";
  const auto [width, stores] = *code.global_stores.begin();
  EXPECT_EQ(width, bits);
  EXPECT_GT(stores, 0);
  const auto loads = code.global_loads.find(bits);
  ASSERT_NE(loads, code.global_loads.end()) << "no load of " << bits << " bits";
  EXPECT_GE(loads->second, stores);
}

TEST_P(Compiles, EveryVariantWithoutASpillAndWithWholeRuns) {
  for (const auto& each : emulator::cases()) {
    const auto binary = build(each.variant);
    const jit::KernelFacts& facts = binary->kernels.at(0);
    SCOPED_TRACE(facts.expression);
    const MachineCode code = code_of(*binary);
    EXPECT_EQ(facts.spill_store_bytes + facts.spill_load_bytes + facts.stack_bytes + code.local, 0);
    // NVRTC names what has internal linkage after the process: such a binary is another one in every process.
    EXPECT_EQ(binary->image.find("_INTERNAL_"), std::string::npos);
    EXPECT_EQ(binary->image.find(".nv.global"), std::string::npos)
        << "a constant became a variable, which loads slowly";
    expect_whole_runs(code, each.variant);
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
      const auto binary = build(v);
      const MachineCode code = code_of(*binary);
      SCOPED_TRACE(op::kernel_name(v));
      if (v.form.access > 1) expect_wide(code, v.form.access * 16);
      std::printf("%s %s run %d, heads %d, access %d: %d instructions, %d registers\n", GetParam(),
                  style == Style::neox ? "neox" : "interleaved", v.form.run, v.form.heads, v.form.access,
                  code.instructions, binary->kernels[0].registers);
    }
}

TEST_P(Compiles, TwiceToTheSameBytes) {
  const Variant v = op::variants(qwen3_moe(Style::neox)).front();
  const auto first = build(v);
  forget();
  EXPECT_TRUE(build(v)->image == first->image) << "two cubins of " << first->image.size() << " bytes differ";
}

std::string name_of(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Architectures, Compiles, testing::Values("sm_80", "sm_90", "sm_100", "sm_120"), name_of);

}  // namespace
}  // namespace ropeline::kernels
