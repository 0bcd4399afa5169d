// ROPELINE_WARM=sm_90 conformance_test: compiles what the suite asks of a GPU of that architecture into the cache, on
// every core of any machine, so that a GPU is not kept waiting. The backend of such a run judges nothing: it notes the
// specs.

#include "conformance/warm.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "conformance/cuda_backend.h"
#include "cuda/qk_norm_rope.h"

namespace ropeline::conformance {
namespace {

/// Programs by the names of their kernels.
std::map<std::vector<std::string>, jit::Source>& noted() {
  static std::map<std::vector<std::string>, jit::Source> all;
  return all;
}

void note(const Spec& spec, const Args& args, const Memory&) {
  prepare(spec, Device::cpu()).run(args);
  jit::Source source = cuda::qk_norm_rope::source(spec);
  noted().emplace(source.kernels, std::move(source));
}

/// Whether no kernel of the program keeps anything in memory of its own; the others are named.
bool spills_nothing(const jit::Binary& binary) {
  bool nothing = true;
  for (const jit::KernelFacts& k : binary.kernels) {
    const int bytes = k.stack_bytes + k.spill_store_bytes + k.spill_load_bytes;
    if (bytes) std::fprintf(stderr, "%d bytes spilled by %s\n", bytes, k.expression.c_str());
    nothing = nothing && bytes == 0;
  }
  return nothing;
}

/// One of `parts` shares. Exits with 1 and the compiler's words when a program does not compile, or spills.
[[noreturn]] void compile_part(const std::vector<const jit::Source*>& sources, std::size_t part, std::size_t parts,
                               const std::string& architecture) {
  try {
    bool good = true;
    for (std::size_t i = part; i < sources.size(); i += parts)
      good = spills_nothing(*jit::build(*sources[i], {.architecture = architecture}).binary) && good;
    _exit(good ? 0 : 1);
  } catch (const jit::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    _exit(1);
  }
}

/// Processes, not threads: a compiler takes turns with itself within one.
void compile_all(const std::string& architecture) {
  std::vector<const jit::Source*> sources;
  std::size_t kernels = 0;
  for (const auto& [names, source] : noted()) sources.push_back(&source), kernels += names.size();
  std::printf("%zu programs of %zu kernels for %s\n", sources.size(), kernels, architecture.c_str());
  const std::size_t parts = std::max(1u, std::thread::hardware_concurrency());
  std::vector<pid_t> children;
  for (std::size_t part = 0; part < parts; ++part) {
    const pid_t child = fork();
    if (child == 0) compile_part(sources, part, parts, architecture);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << "a share did not compile, or spills";
  }
}

class Warm : public testing::Environment {
 public:
  void TearDown() override {
    if (!warm_architecture().empty()) compile_all(warm_architecture());
  }
};

const auto* const environment = testing::AddGlobalTestEnvironment(new Warm);

}  // namespace

std::string warm_architecture() {
  const char* value = std::getenv("ROPELINE_WARM");
  return value ? value : "";
}

Backend warm_backend() { return {"warm", note, cuda_sweep_share}; }

}  // namespace ropeline::conformance
