// A compiler that is absent, incomplete, or does not come back.

#include "tests/jit/fault_setting.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

TEST_F(Faults, NoCompilerIsSaidWithWhatWasTried) {
  const Outcome outcome = probe("build", cache(), {{"ROPELINE_NVRTC", "/nowhere/libnvrtc.so.13"}});
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_TRUE(outcome.says("error: compiler: NVRTC was not found; tried\n  /nowhere/libnvrtc.so.13: ")) << outcome.out;
  EXPECT_TRUE(outcome.says("hint: pip install nvidia-cuda-nvrtc, or name its file or folder in ROPELINE_NVRTC"))
      << outcome.out;
  EXPECT_TRUE(files_in(cache(), true).empty());
}

TEST_F(Faults, SomeOtherLibraryIsNotTheCompiler) {
  const Outcome outcome = probe("build", cache(), {{"ROPELINE_NVRTC", "libm.so.6"}});
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_TRUE(outcome.says("libm.so.6: older than CUDA 12.0")) << outcome.out;
}

TEST_F(Faults, ACompilerWithoutBuiltinsIsSaid) {
  const fs::path library = fs::canonical(compiler_status().path);
  fs::create_hard_link(library, folder / "libnvrtc.so.13");
  const Outcome outcome = probe("build", cache(), {{"ROPELINE_NVRTC", folder.path()}, {"LD_LIBRARY_PATH", ""}});
  if (outcome.exit == 0) ROPELINE_NOT_RUN("the loader finds builtins of its own on this machine");
  EXPECT_EQ(outcome.exit, 3) << outcome.out;
  EXPECT_TRUE(outcome.says("hint: libnvrtc-builtins.so.")) << outcome.out;
  EXPECT_TRUE(outcome.says("is missing beside " + folder.path())) << outcome.out;
}

TEST_F(Faults, ACompileThatDoesNotComeBackIsLeft) {
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = probe("hang", cache());
  EXPECT_EQ(outcome.exit, 0) << outcome.out << " signal " << outcome.signal;
  EXPECT_TRUE(outcome.says("endless.cu for sm_90: not compiled within 200 ms; the compile has been cancelled"))
      << outcome.out;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Faults, WithoutADriverLoadingSaysWhy) {
  const Outcome outcome = probe("load", cache());
  if (outcome.exit == 0) ROPELINE_NOT_RUN("this machine has a device");
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_TRUE(outcome.says("error: driver: no CUDA driver: ")) << outcome.out;
}

}  // namespace
}  // namespace ropeline::jit
