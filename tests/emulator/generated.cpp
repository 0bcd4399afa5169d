#include "emulator/generated.h"

#include <fstream>
#include <iterator>

namespace ropeline::emulator {
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

void write_kernels(const std::string& folder, int count, const std::vector<std::string>& names) {
  const std::string head =
      "#include \"emulator/device.h\"\n#include \"emulator/kernels.h\"\n#include \"kernels/ops/qk_norm_rope.cuh\"\n\n"
      "using namespace ropeline::emulator;\nusing ropeline::kernel::QkNormRopeLaunch;\n\n";
  std::vector<std::string> files(static_cast<std::size_t>(count), head);
  int number = 0;
  for (const std::string& name : names) files[number % count] += registration(name, number), ++number;
  for (int i = 0; i < count; ++i) write_if_changed(folder + "/kernels_" + std::to_string(i) + ".cpp", files[i]);
}

}  // namespace ropeline::emulator
