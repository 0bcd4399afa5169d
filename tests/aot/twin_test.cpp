// What nvcc makes of the kernel text is what NVRTC makes of it: the same kernels, no spill, the same accesses to
// memory, as many registers, and of one compiler version the same instructions. Reads machine code, needs no GPU.

#include <algorithm>

#include "aot/twins.h"
#include "kernels/machine_code.h"

namespace ropeline::aot {
namespace {

using jit::Binary;
using jit::KernelFacts;
using kernels::MachineCode;

/// The program of a spec, by the JIT and by nvcc, under one key.
struct Pair {
  std::string spec;
  std::shared_ptr<const Binary> jit, twin;
};

/// Version of the compiler without what it is called: "13.0.88".
std::string version_of(const Binary& binary) { return binary.compiler.substr(0, binary.compiler.find(' ')); }

class Twin : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ROPELINE_NEEDS_COMPILER();
    for (const AnySpec& spec : specs()) pairs.push_back({.spec = text_of(spec), .jit = {}, .twin = {}});
    for (const Maker maker : {Maker::jit, Maker::nvcc}) {
      configure(maker, GetParam());
      for (std::size_t i = 0; i < pairs.size(); ++i)
        (maker == Maker::jit ? pairs[i].jit : pairs[i].twin) =
            jit::build(source_of(specs()[i]), {.architecture = GetParam()}).binary;
    }
  }

  std::vector<Pair> pairs;
};

void expect_no_spill(const KernelFacts& facts, const MachineCode& code) {
  EXPECT_GT(facts.registers, 0);
  EXPECT_EQ(facts.stack_bytes + facts.spill_store_bytes + facts.spill_load_bytes + code.local, 0);
}

void expect_alike(const KernelFacts& jit, const KernelFacts& twin, const MachineCode& ours, const MachineCode& theirs) {
  EXPECT_EQ(ours.global_loads, theirs.global_loads);
  EXPECT_EQ(ours.global_stores, theirs.global_stores);
  EXPECT_LE(std::abs(jit.registers - twin.registers), 8) << jit.registers << " by NVRTC, " << twin.registers;
  EXPECT_NEAR(ours.instructions, theirs.instructions, 0.05 * ours.instructions);
}

TEST_P(Twin, IsTheSameCode) {
  int kernels = 0, identical = 0, instructions = 0;
  for (const auto& [spec, jit, twin] : pairs) {
    SCOPED_TRACE(spec);
    EXPECT_EQ(jit->key, twin->key);
    EXPECT_FALSE(jit->compiler.ends_with(" nvcc")) << jit->compiler;
    EXPECT_TRUE(twin->compiler.ends_with(" nvcc")) << twin->compiler;
    EXPECT_EQ(kernels::kernels_in(jit->image), kernels::kernels_in(twin->image));
    ASSERT_EQ(jit->kernels.size(), twin->kernels.size());
    for (std::size_t k = 0; k < jit->kernels.size(); ++k, ++kernels) {
      const std::string& symbol = jit->kernels[k].symbol;
      SCOPED_TRACE(jit->kernels[k].expression);
      const MachineCode ours = kernels::machine_code(jit->image, symbol);
      const MachineCode theirs = kernels::machine_code(twin->image, symbol);
      expect_no_spill(twin->kernels[k], theirs);
      expect_alike(jit->kernels[k], twin->kernels[k], ours, theirs);
      identical += kernels::instructions_of(jit->image, symbol) == kernels::instructions_of(twin->image, symbol);
      instructions += theirs.instructions;
    }
  }
  const Pair& any = pairs.front();
  if (version_of(*any.jit) == version_of(*any.twin)) {
    EXPECT_EQ(identical, kernels) << "of one compiler version";
  }
  std::printf("%s: of %d kernels with %d instructions, %d have the same instructions by NVRTC %s and by nvcc %s\n",
              GetParam(), kernels, instructions, identical, version_of(*any.jit).c_str(),
              version_of(*any.twin).c_str());
}

std::string name_of(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Architectures, Twin, testing::ValuesIn(kArchitectures), name_of);

}  // namespace
}  // namespace ropeline::aot
