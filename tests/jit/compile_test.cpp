// What the compiler makes of sources, through the public surface.

#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

class Compile : public testing::Test {
 protected:
  void SetUp() override {
    configure(test_config());
    ROPELINE_NEEDS_COMPILER();
  }

  static Error error_of(const Source& source, const Options& options = for_sm_90()) {
    try {
      build(source, options);
    } catch (const Error& error) {
      return error;
    }
    throw std::logic_error("it compiled");
  }
};

TEST_F(Compile, GivesACubinWithItsFacts) {
  Source source = small_program(3);
  source.kernels = {"small<4>", "small<8>"};
  const Build build = jit::build(source, for_sm_90());
  EXPECT_EQ(build.origin, Origin::compiled);
  EXPECT_EQ(build.path, "");
  EXPECT_TRUE(
      build.binary->image.starts_with("\x7f"
                                      "ELF"));
  EXPECT_EQ(build.binary->architecture, "sm_90");
  EXPECT_EQ(std::count(build.binary->compiler.begin(), build.binary->compiler.end(), '.'), 2) << build.binary->compiler;
  ASSERT_EQ(build.binary->kernels.size(), 2u);
  EXPECT_EQ(build.binary->kernels[0].symbol, "_Z5smallILi4EEvPf");
  EXPECT_EQ(build.binary->kernels[1].symbol, "_Z5smallILi8EEvPf");
  for (const KernelFacts& kernel : build.binary->kernels) {
    EXPECT_GT(kernel.registers, 0);
    EXPECT_EQ(kernel.spill_store_bytes, 0);
  }
}

TEST_F(Compile, SpillsAndSharedMemoryAreSeen) {
  const std::string text =
      "__global__ void __launch_bounds__(1024) k(float* x) { __shared__ float s[64]; float a[96];\n"
      "#pragma unroll\n for (int i = 0; i < 96; ++i) a[i] = x[i * 32 + threadIdx.x];\n"
      "s[threadIdx.x & 63] = a[0]; __syncthreads();\n"
      "#pragma unroll\n for (int i = 0; i < 96; ++i) x[i * 32 + threadIdx.x] = a[i] * a[95 - i] + s[i & 63]; }\n";
  const Build build = jit::build({.name = "k.cu", .text = text, .kernels = {"k"}},
                                 {.architecture = "sm_90", .flags = {"--maxrregcount=32"}});
  EXPECT_GT(build.binary->kernels[0].spill_store_bytes, 0);
  EXPECT_GT(build.binary->kernels[0].spill_load_bytes, 0);
  EXPECT_GE(build.binary->kernels[0].shared_bytes, 256);
}

TEST_F(Compile, TwoBuildsAreEqualToTheByte) {
  const Build first = build(small_program(4), for_sm_90());
  configure(test_config());
  const Build second = build(small_program(4), for_sm_90());
  EXPECT_EQ(second.origin, Origin::compiled);
  EXPECT_EQ(first.binary->image, second.binary->image);
}

TEST_F(Compile, HeadersReachTheCompiler) {
  Source source = {.name = "k.cu",
                   .text =
                       "#include <kernels/shared/phase.h>\n#include \"mine/a.h\"\n"
                       "__global__ void k(float* x) { x[0] = A * ropeline::sin_cos(threadIdx.x).cos; }\n",
                   .kernels = {"k"},
                   .headers = {{"mine/a.h", "#pragma once\n#include \"b.h\"\n"}, {"mine/b.h", "#define A 3\n"}}};
  EXPECT_NO_THROW(build(source, for_sm_90()));
}

TEST_F(Compile, EveryArchitectureOfTheProject) {
  for (const char* architecture : {"sm_80", "sm_90", "sm_90a", "sm_100", "sm_100f", "sm_120"})
    EXPECT_EQ(build(small_program(5), {.architecture = architecture}).binary->architecture, architecture);
  const Build ptx = build(small_program(5), {.architecture = "compute_80"});
  EXPECT_NE(ptx.binary->image.find(".target sm_80"), std::string::npos);
}

TEST_F(Compile, AMistakeInAKernelComesWithTheLog) {
  const Error error =
      error_of({.name = "wrong.cu", .text = "__global__ void k() {\n  undeclared = 1;\n}", .kernels = {"k"}});
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(error.stage(), Stage::compile);
  EXPECT_EQ(error.sentence(), "wrong.cu for sm_90: NVRTC_ERROR_COMPILATION");
  EXPECT_NE(error.log().find("wrong.cu(2): error: identifier \"undeclared\" is undefined"), std::string::npos);
  EXPECT_NE(std::string(error.what()).find("\noptions: --minimal"), std::string::npos);
}

TEST_F(Compile, AnUnknownKernelIsNamed) {
  EXPECT_NE(std::string(error_of({"k.cu", "__global__ void k() {}", {"other"}}).what()).find("other"),
            std::string::npos);
}

// With the compiler's own eyes: none of these opens a file that the key does not hold, and each error names it.
TEST_F(Compile, NoFileIsOpenedBehindTheKey) {
  const TemporaryFolder folder;
  write_file(folder / "a.h", "#define A 1\n");
  const std::string file = folder / "a.h", kernel = "\n__global__ void k(int* x) { *x = A; }\n";
  for (const std::string& directive :
       {"#include \"" + file + "\"", "#define NAME \"" + file + "\"\n#include NAME", "#include \\\n\"" + file + "\"",
        "%:include \"" + file + "\"", "/**/ #include <" + file + ">"}) {
    const Error error = error_of({"k.cu", directive + kernel, {"k"}});
    EXPECT_EQ(error.stage(), Stage::compile) << directive;
    EXPECT_NE(error.log().find("#error directive: "), std::string::npos) << error.log();
    EXPECT_FALSE(error.hint().empty()) << error.log();
  }
  const std::string dead =
      "#if 0\n#include \"/etc/x.h\"\n#include NAME\n#endif\n/* usage:\n#include NAME */\n#define A 1";
  EXPECT_TRUE(build({"k.cu", dead + kernel, {"k"}}, for_sm_90()).binary);
}

TEST_F(Compile, AMissingHeaderComesWithAHint) {
  const Error error = error_of({"k.cu", "#include \"nowhere.h\"\n__global__ void k() {}", {"k"}});
  EXPECT_EQ(error.hint(), "give the header's text in source.headers, or its folder in source.include_folders");
}

TEST_F(Compile, AKernelThatIsNotThereComesWithThoseThatAre) {
  const std::string text =
      "#include \"more.h\"\ntemplate <int N> __global__ void scale(float* x) { x[0] *= N; }\n"
      "namespace mine { __global__ void __launch_bounds__(32 * (1 + 1)) fill (int* x) { *x = 1; } }\n";
  const auto error = [&](const char* expression) {
    return error_of({"k.cu", text, {expression}, {{"more.h", "extern \"C\" __global__ void plain(int) {}\n"}}});
  };
  for (const char* wrong : {"scael<4>", "plane"}) {
    EXPECT_EQ(error(wrong).sentence(), std::string("k.cu has no kernel '") + wrong + "'");
    EXPECT_EQ(error(wrong).hint(), "its kernels are scale, fill, plain");
  }
  for (const char* incomplete : {"scale", "scale<float>", "fill"})
    EXPECT_EQ(error(incomplete).hint(),
              "a kernel of that name is there: write its namespace and its template arguments "
              "as C++ does, such as mine::scale<float, 4>");
  EXPECT_EQ(error_of({"k.cu", "int x;", {"k"}}).hint(), "no text of the program has a __global__ function");
  // What the compiler says of the text comes first.
  EXPECT_EQ(error_of({"k.cu", "template <int N> __global__ void k(mistake x) {}", {"k<1>"}}).sentence(),
            "k.cu for sm_90: NVRTC_ERROR_COMPILATION");
}

TEST_F(Compile, AnUnknownArchitectureIsAnErrorThatListsTheKnown) {
  const Error error = error_of(small_program(6), {.architecture = "sm_999"});
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_NE(error.sentence().find("architecture sm_999 is unknown to NVRTC"), std::string::npos);
  EXPECT_NE(error.hint().find("sm_90"), std::string::npos);
}

TEST_F(Compile, AnUnknownFlagIsTheCompilersToRefuse) {
  const Error error = error_of(small_program(6), {.architecture = "sm_90", .flags = {"--no-such-flag"}});
  EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
  EXPECT_NE(error.log().find("no-such-flag"), std::string::npos);
  EXPECT_EQ(error.hint(), "");
  EXPECT_NE(error_of(small_program(6), {.architecture = "sm_80a"}).hint().find(" knows sm_"), std::string::npos);
}

TEST_F(Compile, APinnedCompilerIsInTheKey) {
  const Build build = jit::build(small_program(7), {.architecture = "sm_90", .pin_compiler = true});
  EXPECT_NE(build.binary->key_text.find("\ncompiler " + build.binary->compiler + "\n"), std::string::npos);
}

TEST_F(Compile, WithoutArchitectureADeviceIsNeeded) {
  if (current_device() >= 0) ROPELINE_NOT_RUN("this machine has a device");
  try {
    build(small_program(8));
  } catch (const Error& error) {
    EXPECT_EQ(error.stage(), Stage::driver);
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_TRUE(error.sentence().starts_with("no architecture is named, and there is no CUDA driver to ask: "));
    EXPECT_EQ(error.hint(), "name one, such as sm_90: no GPU is needed then");
  }
}

}  // namespace
}  // namespace ropeline::jit
