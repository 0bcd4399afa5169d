#pragma once

// What the tests of the JIT share: a small program, a folder of its own for each test, a configuration, and whether
// there is a compiler.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "jit/digest.h"
#include "not_run.h"
#include "ropeline/jit.h"

#define ROPELINE_NEEDS_COMPILER() \
  if (const auto compiler = ::ropeline::jit::compiler_status(); compiler.version.empty()) ROPELINE_NOT_RUN("no NVRTC")

namespace ropeline::jit {

inline Source small_program(int width) {
  return {.name = "small.cu",
          .text = "template <int N> __global__ void small(float* x) { x[threadIdx.x] *= N * " + std::to_string(width) +
                  "; }\n",
          .kernels = {"small<4>"}};
}

inline Options for_sm_90() { return {.architecture = "sm_90"}; }

/// A folder that is gone with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = std::filesystem::temp_directory_path() / "ropeline-test-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ / name; }
  std::string path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Config test_config() {
  Config config = default_config();
  config.cache_folder = {};
  config.python_prefixes = {ROPELINE_TEST_PYTHON_PREFIX};
  return config;
}

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline void write_file(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// The entries of a cache folder, and the other files in it except locks.
inline std::vector<std::string> files_in(const std::string& folder, bool entries) {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const std::string name = file.path().filename();
    if (!name.starts_with(".lock-") && name.ends_with(".rlj") == entries) names.push_back(file.path());
  }
  return names;
}

inline std::string digest_of(const Binary& binary) { return hex(sha256(binary.image)); }

}  // namespace ropeline::jit
