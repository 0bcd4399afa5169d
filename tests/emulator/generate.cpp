// Writes the sources that instantiate the kernel for the emulator: generate FOLDER COUNT makes COUNT files of about
// equal size. A file is written only when its text changes.

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "emulator/cases.h"
#include "ops/qk_norm_rope_variant.h"

namespace {

std::string registration(const std::string& name, int number) {
  return "static const ropeline::emulator::Registration r" + std::to_string(number) + "(\n    \"" + name +
         "\",\n    [](Index blocks, Index threads, const Conditions& conditions, const QkNormRopeLaunch& p) {\n"
         "      launch(blocks, threads, conditions, [&] {\n        " +
         name + "(p);\n      });\n    });\n\n";
}

void write_if_changed(const std::string& path, const std::string& text) {
  std::ifstream old(path);
  if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return;
  std::ofstream(path) << text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fputs("usage: generate FOLDER COUNT\n", stderr), 2;
  const int count = std::atoi(argv[2]);
  const std::string head =
      "#include \"emulator/device.h\"\n#include \"emulator/kernels.h\"\n#include \"kernels/ops/qk_norm_rope.cuh\"\n\n"
      "using namespace ropeline::emulator;\nusing ropeline::kernel::QkNormRopeLaunch;\n\n";
  std::vector<std::string> files(static_cast<std::size_t>(count), head);
  std::set<std::string> names;
  int number = 0;
  for (const auto& each : ropeline::emulator::cases()) {
    const std::string name = ropeline::ops::qk_norm_rope::kernel_name(each.variant);
    if (names.insert(name).second) files[number % count] += registration(name, number), ++number;
  }
  for (int i = 0; i < count; ++i)
    write_if_changed(std::string(argv[1]) + "/kernels_" + std::to_string(i) + ".cpp", files[i]);
}
