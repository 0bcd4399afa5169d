#include "jit/compile_log.h"

#include <gtest/gtest.h>

namespace ropeline::jit {
namespace {

constexpr const char* kLog =
    "k.cu(1): warning #177-D: variable \"x\" was declared but never referenced\n"
    "ptxas info    : 0 bytes gmem\n"
    "ptxas info    : Compiling entry function '_Z1aPf' for 'sm_90'\n"
    "ptxas info    : Function properties for _Z1aPf\n"
    "ptxas         .     400 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
    "ptxas info    : Used 40 registers, used 1 barriers, 400 bytes cumulative stack size, 1024 bytes smem\n"
    "ptxas info    : Compile time = 225.469 ms\n"
    "ptxas info    : Function properties for helper\n"
    "ptxas         .     16 bytes stack frame, 99 bytes spill stores, 99 bytes spill loads\n"
    "ptxas info    : Compiling entry function '_Z1bPf' for 'sm_90'\n"
    "ptxas info    : Function properties for _Z1bPf\n"
    "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
    "ptxas info    : Used 8 registers, used 0 barriers\n";

TEST(CompileLog, FactsGoToTheirKernel) {
  std::vector<KernelFacts> kernels = {{.expression = "b", .symbol = "_Z1bPf"}, {.expression = "a", .symbol = "_Z1aPf"}};
  read_facts(kLog, kernels);
  EXPECT_EQ(kernels[0].registers, 8);
  EXPECT_EQ(kernels[0].stack_bytes, 0);
  EXPECT_EQ(kernels[1].registers, 40);
  EXPECT_EQ(kernels[1].stack_bytes, 400);
  EXPECT_EQ(kernels[1].spill_store_bytes, 12);
  EXPECT_EQ(kernels[1].spill_load_bytes, 8);
  EXPECT_EQ(kernels[1].shared_bytes, 1024);
}

TEST(CompileLog, RemarksAreWhatIsLeft) {
  EXPECT_EQ(without_figures(kLog), "k.cu(1): warning #177-D: variable \"x\" was declared but never referenced\n");
}

TEST(CompileLog, TheCompilerSignsItsImages) {
  EXPECT_EQ(compiler_of("..Cuda compilation tools, release 13.0, V13.0.88\n..", 13, 0), "13.0.88");
  EXPECT_EQ(compiler_of("unsigned", 12, 4), "12.4");
}

}  // namespace
}  // namespace ropeline::jit
