// twin SPECS ARCHITECTURE NVCC PACK: compiles every variant of the specs of a file with nvcc, for one architecture,
// into a pack that the JIT opens in place of its own compiler. Needs NVRTC too, which says how the kernels are called.

#include <cstdio>

#include "aot/nvcc.h"
#include "aot/specs.h"

namespace {

using namespace ropeline;

std::shared_ptr<const jit::Binary> twin(const aot::AnySpec& spec, const std::string& architecture,
                                        const std::string& nvcc) {
  const jit::Source source = aot::source_of(spec);
  const jit::Build build = jit::build(source, {.architecture = architecture});
  return std::make_shared<const jit::Binary>(aot::twin_of(*build.binary, source, nvcc));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) return std::fputs("usage: twin SPECS ARCHITECTURE NVCC PACK\n", stderr), 2;
  jit::Config fresh = jit::default_config();  // what lies in a cache or a pack might be a twin already
  fresh.cache_folder.clear(), fresh.read_only_folders.clear(), fresh.packs.clear();
  jit::configure(fresh);
  std::vector<std::shared_ptr<const jit::Binary>> twins;
  for (const aot::AnySpec& spec : aot::specs_in(argv[1])) twins.push_back(twin(spec, argv[2], argv[3]));
  jit::write_pack(argv[4], twins);
  std::printf("%s: %zu programs of %s\n", argv[4], twins.size(), twins[0]->compiler.c_str());
} catch (const Error& error) {
  return std::fprintf(stderr, "%s\n", error.what()), 1;
}
