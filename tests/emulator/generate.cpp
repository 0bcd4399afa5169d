// Writes the sources that instantiate the kernels of all cases for the emulator: generate FOLDER COUNT.

#include <cstdio>
#include <cstdlib>
#include <set>

#include "emulator/cases.h"
#include "emulator/generated.h"
#include "ops/qk_norm_rope_variant.h"

using namespace ropeline;

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: generate FOLDER COUNT\n", stderr), 2;
  std::set<std::string> known;
  std::vector<std::string> names;
  for (const emulator::Case& each : emulator::cases())
    if (std::string name = ops::qk_norm_rope::kernel_name(each.variant); known.insert(name).second)
      names.push_back(std::move(name));
  emulator::write_kernels(argv[1], std::atoi(argv[2]), names);
}
