// From sm_70 to sm_120 an instruction is 16 bytes: the opcode in the low 12 bits, the width of a memory access in bits
// 73 to
// 75. Checked against nvdisasm 13.5 for sm_80, sm_90, sm_100 and sm_120.

#include "kernels/machine_code.h"

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace ropeline::kernels {
namespace {

enum Opcode : unsigned {
  load_global = 0x981,
  store_global = 0x986,
  load_local = 0x983,
  store_local = 0x387,
  no_operation = 0x918
};

template <class T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  if (offset + sizeof value > bytes.size()) throw std::runtime_error("cubin: cut short");
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

int width_in_bits(std::uint64_t high) {
  constexpr int widths[] = {8, 8, 16, 16, 32, 64, 128, 0};
  return widths[high >> 9 & 7];
}

void count(MachineCode& code, std::uint64_t low, std::uint64_t high) {
  const unsigned opcode = low & 0xfff;
  if (opcode != no_operation) ++code.instructions;
  if (opcode == load_global) ++code.global_loads[width_in_bits(high)];
  if (opcode == store_global) ++code.global_stores[width_in_bits(high)];
  if (opcode == load_local || opcode == store_local) ++code.local;
}

Elf64_Shdr section(const std::string& cubin, const std::string& wanted) {
  const auto header = at<Elf64_Ehdr>(cubin, 0);
  const auto names = at<Elf64_Shdr>(cubin, header.e_shoff + header.e_shstrndx * sizeof(Elf64_Shdr));
  for (int i = 0; i < header.e_shnum; ++i) {
    const auto found = at<Elf64_Shdr>(cubin, header.e_shoff + i * sizeof(Elf64_Shdr));
    if (wanted == cubin.data() + names.sh_offset + found.sh_name) return found;
  }
  throw std::runtime_error("cubin: no section " + wanted);
}

}  // namespace

MachineCode machine_code(const std::string& cubin, const std::string& symbol) {
  const Elf64_Shdr text = section(cubin, ".text." + symbol);
  MachineCode code;
  for (std::size_t i = 0; i + 16 <= text.sh_size; i += 16)
    count(code, at<std::uint64_t>(cubin, text.sh_offset + i), at<std::uint64_t>(cubin, text.sh_offset + i + 8));
  code.instructions -= code.instructions > 0;  // the jump to itself behind the last exit
  return code;
}

}  // namespace ropeline::kernels
