// `ropeline warm`: what it compiles is what others find, and what it says when it cannot.

#include <sys/stat.h>

#include "ops/qk_norm_rope_variant.h"
#include "program/program.h"
#include "ropeline/kernel_source.h"
#include "ropeline/kv_cast.h"
#include "ropeline/models.h"
#include "tests/jit/setting.h"

namespace ropeline::tools {
namespace {

class Warm : public Program {
 protected:
  void SetUp() override {
    jit::configure(jit::test_config());
    ROPELINE_NEEDS_COMPILER();
    nvrtc_ = jit::compiler_status().path;
    std::filesystem::create_directory(path("elsewhere"));
  }

  /// With the cache in that folder of the test.
  Outcome warm(const std::string& arguments, const std::string& cache = "cache", const std::string& others = "") {
    return program("warm " + arguments,
                   "ROPELINE_CACHE_DIR=" + path(cache) + " ROPELINE_NVRTC=" + nvrtc_ + " " + others);
  }

  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(path(folder))) names.push_back(file.path().filename());
    return names;
  }

  std::string nvrtc_;
};

const std::string kNoCompiler = "ROPELINE_NVRTC=/nowhere";

TEST_F(Warm, CompilesOnceThenFindsWithoutACompiler) {
  const std::string call = "--model gemma3-270m --arch sm_90";
  const Outcome cold = warm(call);
  EXPECT_EQ(cold.code, 0) << cold.text;
  EXPECT_TRUE(holds(cold.text, "gemma3-270m bf16                 sm_90    compiled ")) << cold.text;
  EXPECT_TRUE(holds(cold.text, "1 compiled, 0 found: ") && holds(cold.text, "NVRTC was opened")) << cold.text;
  const Outcome again = warm(call, "cache", kNoCompiler);
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(holds(again.text, "0 compiled, 1 found: ") && holds(again.text, "NVRTC was not opened")) << again.text;
}

// The entry is the one that `prepare` looks for when transformers' layer is switched: apply asks models::layer, too.
TEST_F(Warm, CompilesWhatAModelsLayersAskFor) {
  ASSERT_EQ(warm("--model qwen3-0.6b --arch sm_90 --dtype bf16,fp16 --jobs 2").code, 0);
  jit::Config config = jit::test_config();
  config.cache_folder = path("cache");
  config.compile = false;
  jit::configure(config);
  for (const DType dtype : {DType::bf16, DType::fp16}) {
    const Spec spec = models::layer(models::published_config("qwen3-0.6b"), 27, dtype).spec;
    const jit::Build found = jit::build(kernel_source(spec), {.architecture = "sm_90"});
    EXPECT_EQ(found.origin, jit::Origin::cache);
    EXPECT_EQ(found.binary->kernels.size(), ops::qk_norm_rope::variants(spec).size());
  }
}

TEST_F(Warm, DividesHeadsAndTakesConfigsAndSpecs) {
  const std::string config = file("config.json", R"({"model_type": "qwen3", "num_hidden_layers": 2, "head_dim": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2})");
  const Outcome all = warm("--model " + config + " --tp 1,4 --angles rows,frequencies --arch sm_90 --jobs 2");
  EXPECT_EQ(all.code, 0) << all.text;
  EXPECT_TRUE(holds(all.text, "4 compiled, 0 found")) << all.text;
  // One of four ranks: one query head, and a key head that two ranks share.
  const Outcome spec = warm("--model " + config + " --tp 4 --angles frequencies --rounding fused --arch sm_90");
  EXPECT_TRUE(holds(spec.text, "1 compiled")) << spec.text;
  jit::Config settings = jit::test_config();
  settings.cache_folder = path("cache");
  jit::configure(settings);
  const Spec rank = qk_norm_rope({.q = 1, .k = 1, .head_dim = 64}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, 64)));
  EXPECT_TRUE(jit::find(kernel_source(rank), {.architecture = "sm_90"}));
  const std::string text = file("spec.json", rank.json());
  EXPECT_TRUE(holds(warm("--spec @" + text + " --arch sm_90").text, "0 compiled, 1 found"));
}

TEST_F(Warm, CompilesTheSecondOpToo) {
  const Outcome cast = warm("--model qwen3-30b-a3b --op kv_cast --tp 2 --arch sm_90");
  EXPECT_EQ(cast.code, 0) << cast.text;
  EXPECT_TRUE(holds(cast.text, "qwen3-30b-a3b tp2 bf16 kv_cast   sm_90    compiled ")) << cast.text;
  jit::Config settings = jit::test_config();
  settings.cache_folder = path("cache");
  jit::configure(settings);
  EXPECT_TRUE(
      jit::find(kernel_source(KvCastSpec{.heads = 2, .head_dim = 128, .alignment = 2}), {.architecture = "sm_90"}));
  const Outcome spec = warm(R"(--op kv_cast --spec '{"heads":2,"head_dim":128,"alignment":2}' --arch sm_90)");
  EXPECT_TRUE(holds(spec.text, "0 compiled, 1 found")) << spec.text;
}

TEST_F(Warm, APackServesAMachineWithoutCompiler) {
  const std::string call = "--model gemma3-270m,gemma3-1b --arch sm_80,sm_90 ";
  const Outcome packed = warm(call + "--pack " + path("p"), "unused");
  EXPECT_EQ(packed.code, 0) << packed.text;
  EXPECT_TRUE(holds(packed.text, "2 compiled, 0 found")) << packed.text;  // the two models share their layers' shape
  EXPECT_TRUE(holds(packed.text, "bytes of machine code, in " + path("p") + " of ")) << packed.text;
  EXPECT_TRUE(files("unused").empty());
  const Outcome found = warm(call, "none", "ROPELINE_PACKS=" + path("p") + " ROPELINE_NO_COMPILE=1 " + kNoCompiler);
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_TRUE(holds(found.text, "sm_80    pack ") && holds(found.text, "0 compiled, 2 found")) << found.text;
}

TEST_F(Warm, APackTakesWhatTheCacheHas) {
  ASSERT_EQ(warm("--model gemma3-270m --arch sm_90").code, 0);
  const Outcome packed = warm("--model gemma3-270m --arch sm_90 --pack " + path("p"), "cache", kNoCompiler);
  EXPECT_EQ(packed.code, 0) << packed.text;
  EXPECT_TRUE(holds(packed.text, "0 compiled, 1 found")) << packed.text;
}

TEST_F(Warm, WithoutACompilerNothingIsBegun) {
  const Outcome folder = warm("--model gemma3-270m", "cache", kNoCompiler);
  EXPECT_EQ(folder.code, 3);
  EXPECT_TRUE(holds(folder.text, "NVRTC was not found; tried\n  /nowhere: ")) << folder.text;
  EXPECT_TRUE(holds(folder.text, "pip install nvidia-cuda-nvrtc")) << folder.text;
  EXPECT_TRUE(files("cache").empty());
  EXPECT_EQ(warm("--model gemma3-270m --pack " + path("p"), "cache", kNoCompiler).code, 3);
  EXPECT_FALSE(std::filesystem::exists(path("p")));
}

TEST_F(Warm, AFolderThatIsNotOursIsRefusedAndTheReasonSaid) {
  std::filesystem::create_directory(path("open"));
  std::filesystem::permissions(path("open"), std::filesystem::perms::all);
  const Outcome refused = warm("--model gemma3-270m --arch sm_90", "open");
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(holds(refused.text,
                    "open is writable by others (mode 0777); chmod go-w it; name another folder in "
                    "ROPELINE_CACHE_DIR, or write a file with --pack\n"))
      << refused.text;
}

// A folder that another user has filled serves, and is not written.
TEST_F(Warm, AReadOnlyFolderServesWhatItHas) {
  if (geteuid() != 0) ROPELINE_NOT_RUN("only root can become another user");
  const std::string nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
  if (program("--version", nobody).code != 0) ROPELINE_NOT_RUN("this user cannot become another one");
  ASSERT_EQ(warm("--model gemma3-270m --arch sm_90").code, 0);
  for (const std::string& folder : {path(""), path("cache")}) chmod(folder.c_str(), 0755);
  for (const std::string& entry : jit::files_in(path("cache"), true)) chmod(entry.c_str(), 0644);
  const Outcome served = warm("--model gemma3-270m --arch sm_90", "cache", nobody);
  EXPECT_EQ(served.code, 0) << served.text;
  EXPECT_TRUE(holds(served.text, "0 compiled, 1 found")) << served.text;
  const Outcome refused = warm("--model gemma3-270m --arch sm_80", "cache", nobody);
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(holds(refused.text, "cache is read-only: Permission denied; name another folder in ")) << refused.text;
}

// Killed as by kill -9 while it writes, with its processes: whole entries or none, and the next one does the rest.
TEST_F(Warm, KilledInTheMiddleItGoesOnTheNextTime) {
  const std::string call = "--model gemma3-270m --arch sm_80,sm_90 --jobs 2";
  const Outcome killed = warm(call, "cache", "ROPELINE_KILL_AT=half-written");
  EXPECT_NE(killed.code, 0) << killed.text;
  EXPECT_TRUE(jit::files_in(path("cache"), true).empty());
  EXPECT_FALSE(jit::files_in(path("cache"), false).empty()) << "nothing was half written";
  const Outcome again = warm(call);
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_TRUE(holds(again.text, "2 compiled, 0 found")) << again.text;
  EXPECT_TRUE(jit::files_in(path("cache"), false).empty()) << "what was half written stays";
  EXPECT_EQ(program("cache verify", "ROPELINE_CACHE_DIR=" + path("cache")).code, 0);
}

TEST_F(Warm, AnUnknownArchitectureStopsBeforeAnythingIsCompiled) {
  const Outcome unknown = warm("--model gemma3-270m --arch sm_90,sm_900");
  EXPECT_EQ(unknown.code, 3);
  EXPECT_TRUE(holds(unknown.text, "--arch: sm_900 is unknown to NVRTC ")) << unknown.text;
  EXPECT_TRUE(files("cache").empty());
}

TEST_F(Warm, APackThatCannotBeWrittenIsAnError) {
  const Outcome refused = warm("--model gemma3-270m --arch sm_90 --pack " + path("nowhere/p"));
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(holds(refused.text, "nowhere/p: its folder: No such file or directory")) << refused.text;
}

}  // namespace
}  // namespace ropeline::tools
