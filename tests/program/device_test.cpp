// The program on a GPU that takes every call and computes nothing: what compares must see that.

#include "program/program.h"
#include "tests/jit/setting.h"

namespace ropeline::tools {
namespace {

class IdleDevice : public Program {
 protected:
  void SetUp() override {
    jit::configure(jit::test_config());
    ROPELINE_NEEDS_COMPILER();
  }

  Outcome run(const std::string& arguments) const {
    return program(arguments, "ROPELINE_CACHE_DIR=" + path("cache") + " ROPELINE_NVRTC=" + jit::compiler_status().path +
                                  " LD_LIBRARY_PATH=" ROPELINE_FAKE_DRIVER);
  }
};

TEST_F(IdleDevice, DiffersFromTheReference) {
  for (const char* op : {"qk_norm_rope", "kv_cast"}) {
    const Outcome check = run(std::string("check --specs 4 --device cuda --op ") + op);
    EXPECT_EQ(check.code, 1) << check.text;
    EXPECT_TRUE(holds(check.text, "  first: {")) << check.text;
  }
}

// What another run has written into the file does not pass for its result.
TEST_F(IdleDevice, LeavesOtherDigestsThanTheCpu) {
  const auto digest = [](const Outcome& run) { return run.text.substr(run.text.find("digest"), 23); };
  for (const char* call : {"--op qk_norm_rope --q 2 --k 1", "--op kv_cast --k 2"}) {
    const Outcome cpu = run(std::string("run ") + call + " --out " + path("call"));
    const Outcome idle = run("run --device cuda --tensors " + path("call"));
    ASSERT_EQ(idle.code, 0) << idle.text;
    EXPECT_NE(digest(idle), digest(cpu)) << idle.text;
  }
}

}  // namespace
}  // namespace ropeline::tools
