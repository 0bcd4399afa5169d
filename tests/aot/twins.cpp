#include "aot/twins.h"

#include <cstdlib>

namespace ropeline::aot {

namespace {

std::string folder() {
  const char* chosen = std::getenv("ROPELINE_TWIN_DIR");
  return chosen ? chosen : ROPELINE_TWIN_DIR;
}

}  // namespace

const std::vector<AnySpec>& specs() {
  static const std::vector<AnySpec> all = specs_in(folder() + "/specs.txt");
  return all;
}

std::string pack_of(const std::string& architecture) { return folder() + "/twin-" + architecture + ".rlp"; }

void configure(Maker maker, const std::string& architecture) {
  jit::Config config = jit::test_config();
  config.read_only_folders.clear(), config.packs.clear();
  if (maker == Maker::nvcc) config.packs = {pack_of(architecture)}, config.compile = false;
  jit::configure(config);
}

}  // namespace ropeline::aot
