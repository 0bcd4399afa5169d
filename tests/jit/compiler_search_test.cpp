#include <algorithm>
#include <cstdlib>

#include "jit/compiler_library.h"
#include "tests/jit/setting.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

void make_library(const std::string& path) {
  fs::create_directories(fs::path(path).parent_path());
  write_file(path, "");
}

TEST(NvrtcSearch, ANamedPathIsTheOnlyOne) {
  EXPECT_EQ(nvrtc_candidates({"/opt/x/libnvrtc.so.13", {}}), std::vector<std::string>{"/opt/x/libnvrtc.so.13"});
  const TemporaryFolder base;
  make_library(base / "libnvrtc.so.12");
  make_library(base / "libnvrtc.so.13");
  make_library(base / "libnvrtc.alt.so.13");
  make_library(base / "libnvrtc-builtins.so.13.0");
  EXPECT_EQ(nvrtc_candidates({base.path(), {}}),
            (std::vector<std::string>{base / "libnvrtc.so.13", base / "libnvrtc.so.12"}));
}

TEST(NvrtcSearch, TheLoaderComesBeforeToolkitsBeforeWheels) {
  const TemporaryFolder base;
  const std::string packages = "/lib/python3.12/site-packages/nvidia/";
  make_library(base / "cuda/lib64/libnvrtc.so.12");
  make_library(base / ("given" + packages + "cu13/lib/libnvrtc.so.13"));
  make_library(base / ("venv" + packages + "cuda_nvrtc/lib/libnvrtc.so.12"));
  setenv("CUDA_HOME", (base / "cuda").c_str(), 1);
  setenv("VIRTUAL_ENV", (base / "venv").c_str(), 1);
  const auto candidates = nvrtc_candidates({"", {base / "given"}});
  unsetenv("CUDA_HOME"), unsetenv("VIRTUAL_ENV");
  const std::vector<std::string> expected = {"libnvrtc.so.13",
                                             "libnvrtc.so.12",
                                             "libnvrtc.so",
                                             base / "cuda/lib64/libnvrtc.so.12",
                                             base / ("given" + packages + "cu13/lib/libnvrtc.so.13"),
                                             base / ("venv" + packages + "cuda_nvrtc/lib/libnvrtc.so.12")};
  ASSERT_GE(candidates.size(), expected.size());
  EXPECT_TRUE(std::ranges::equal(expected, std::vector(candidates.begin(), candidates.begin() + expected.size())));
}

TEST(NvrtcSearch, APrefixMayBeAFolderOfPackages) {
  const TemporaryFolder base;
  make_library(base / "dist-packages/nvidia/cu13/lib/libnvrtc.so.13");
  const auto candidates = nvrtc_candidates({"", {base / "dist-packages"}});
  EXPECT_EQ(std::ranges::count(candidates, base / "dist-packages/nvidia/cu13/lib/libnvrtc.so.13"), 1);
}

TEST(NvrtcSearch, AnInterpretersFoldersBecomePartOfTheDefaults) {
  const auto before = default_config().python_prefixes;
  add_python_prefix("/a/prefix");
  auto expected = before;
  expected.push_back("/a/prefix");
  EXPECT_EQ(default_config().python_prefixes, expected);
}

}  // namespace
}  // namespace ropeline::jit
