// kernels_probe SPEC ARCHITECTURE: builds the kernels of a spec (JSON) into the cache that the environment names.

#include <cstdio>

#include "ropeline/kernel_source.h"
#include "tests/jit/setting.h"

int main(int argc, char** argv) try {
  using namespace ropeline;
  if (argc != 3) return std::fputs("usage: kernels_probe SPEC ARCHITECTURE\n", stderr), 2;
  jit::Config config = jit::default_config();
  config.python_prefixes = {ROPELINE_TEST_PYTHON_PREFIX};
  jit::configure(config);
  const jit::Build build = jit::build(kernel_source(Spec::from_json(argv[1])), {.architecture = argv[2]});
  std::printf("%s %s\n", name_of(build.origin), build.path.c_str());
} catch (const ropeline::Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
