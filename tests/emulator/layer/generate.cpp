// Writes the sources that instantiate the kernel of one model's layer in all its forms: generate FOLDER COUNT.

#include <cstdio>
#include <cstdlib>

#include "emulator/generated.h"
#include "emulator/layer/layer.h"
#include "ops/qk_norm_rope_variant.h"

using namespace ropeline;

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: generate FOLDER COUNT\n", stderr), 2;
  std::vector<std::string> names;
  for (const kernel::Variant& variant : ops::qk_norm_rope::variants(emulator::layer().spec))
    names.push_back(ops::qk_norm_rope::kernel_name(variant));
  emulator::write_kernels(argv[1], std::atoi(argv[2]), names);
}
