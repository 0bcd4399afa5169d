#include "jit/key.h"

#include <cstdlib>
#include <set>

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

const Program program{"k.cu", "text", {"k"}, {{"a.h", "a"}}};

std::string key(const Program& p, const std::string& architecture = "sm_90", const Options& options = {},
                const std::string& compiler = {}) {
  return hex(make_key(p, architecture, options, compiler).digest);
}

TEST(Digest, IsSha256) {
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Key, EverythingThatChangesCodeChangesIt) {
  std::set<std::string> keys = {key(program)};
  std::size_t changes = 1;
  const auto differs = [&](const std::string& changed) { EXPECT_EQ((keys.insert(changed), keys.size()), ++changes); };
  differs(key({"l.cu", "text", {"k"}, {{"a.h", "a"}}}));
  differs(key({"k.cu", "texts", {"k"}, {{"a.h", "a"}}}));
  differs(key({"k.cu", "text", {"k", "l"}, {{"a.h", "a"}}}));
  differs(key({"k.cu", "text", {"k"}, {{"a.h", "b"}}}));
  differs(key({"k.cu", "text", {"k"}, {{"b.h", "a"}}}));
  differs(key({"k.cu", "text", {"k"}, {}}));
  differs(key(program, "sm_80"));
  differs(key(program, "sm_90a"));
  differs(key(program, "sm_90", {.flags = {"-DX"}}));
  differs(key(program, "sm_90", {.flags = {"-std=c++17"}}));
  differs(key(program, "sm_90", {.minimal = false}));
  differs(key(program, "sm_90", {}, "13.0.88"));
  setenv("NVRTC_APPEND_FLAGS", "-use_fast_math", 1);
  differs(key(program));
  unsetenv("NVRTC_APPEND_FLAGS");
}

TEST(Key, TextsCannotPassForOneAnother) {
  EXPECT_NE(key({"k.cu", "a\nfile b.h 1\nx", {"k"}, {}}), key({"k.cu", "a", {"k"}, {{"b.h", "x"}}}));
}

TEST(Key, WhatDoesNotChangeCodeDoesNot) {
  EXPECT_EQ(key(program, "sm_90", {.flags = {"-DA", "-DB"}}), key(program, "sm_90", {.flags = {"-DB", "-DA", "-DA"}}));
  EXPECT_EQ(key(program), key(program, "sm_90", {.compile_limit = std::chrono::seconds(1)}));
  setenv("HOME", "/elsewhere", 1);
  EXPECT_EQ(key(program), key(program));
}

TEST(Key, IsTheSameOnEveryMachine) {
  EXPECT_EQ(make_key(program, "sm_90", {}, {}).text,
            "ropeline jit 2\nflag --minimal\nflag --no-source-include\nflag --ptxas-options=-v\nflag -arch=sm_90\nflag "
            "-default-device\n"
            "flag -std=c++20\nkernel 1 k\nfile k.cu 4\ntext\nfile a.h 1\na\n");
}

std::string refusal(const std::string& architecture, std::vector<std::string> flags = {}) try {
  make_key(program, architecture, {.flags = std::move(flags)}, {});
  return "accepted";
} catch (const Error& error) {
  EXPECT_EQ(error.stage(), Stage::source);
  return error.sentence();
}

TEST(Key, Architectures) {
  for (const char* good : {"sm_80", "sm_90a", "sm_100f", "sm_120", "compute_90"}) EXPECT_EQ(refusal(good), "accepted");
  for (const char* bad :
       {"", "90", "sm_", "sm_9", "sm_90x", "sm_90aa", "compute_90a", "compute_", "sm90", "gfx942", "sm_ 90"})
    EXPECT_EQ(refusal(bad), "options.architecture: '" + std::string(bad) + "' is not an architecture");
}

TEST(Key, Flags) {
  EXPECT_EQ(refusal("sm_90", {"X=1"}), "options.flags: 'X=1' is not a flag");
  EXPECT_EQ(refusal("sm_90", {"-I/usr/include"}), "options.flags: '-I/usr/include' would make code depend on a path");
  EXPECT_EQ(refusal("sm_90", {"-arch=sm_80"}), "options.flags: '-arch=sm_80' belongs into options.architecture");
  for (const std::string flag : {"--pre-include=a.h", "-include=a.h", "-include", "--use-pch=a", "--create-pch=a",
                                 "--pch", "-pch-dir=/tmp", "-Xptxas=-optf=a", "--ptxas-options=--options-file=a"})
    EXPECT_EQ(refusal("sm_90", {flag}), "options.flags: '" + flag + "' names a file whose text no key holds");
  for (const std::string flag : {"--fdevice-time-trace=a", "-time=a"})
    EXPECT_EQ(refusal("sm_90", {flag}), "options.flags: '" + flag + "' has the compiler write a file");
  EXPECT_EQ(refusal("sm_90", {"-no-source-include"}), "options.flags: '-no-source-include' is given to every compile");
  EXPECT_EQ(refusal("sm_90", {"-use_fast_math", "--maxrregcount=64", "-DINCLUDE=1"}), "accepted");
}

TEST(Key, FlagsOfTheEnvironmentNameNoFilesEither) {
  setenv("NVRTC_APPEND_FLAGS", "-lineinfo  --pre-include=a.h", 1);
  EXPECT_EQ(refusal("sm_90"), "NVRTC_APPEND_FLAGS: '--pre-include=a.h' names a file whose text no key holds");
  setenv("NVRTC_APPEND_FLAGS", "-I/usr/include", 1);
  EXPECT_EQ(refusal("sm_90"), "NVRTC_APPEND_FLAGS: '-I/usr/include' would make code depend on a path");
  unsetenv("NVRTC_APPEND_FLAGS");
}

}  // namespace
}  // namespace ropeline::jit
