// From sm_70 to sm_120 an instruction is 16 bytes: the opcode in the low 12 bits, the width of a memory access in bits
// 73 to
// 75. Checked against nvdisasm 13.5 for sm_80, sm_90, sm_100 and sm_120.

#include "kernels/machine_code.h"

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

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

/// Calls visit(name, section) for each section.
template <class Visit>
void each_section(const std::string& cubin, Visit&& visit) {
  const auto header = at<Elf64_Ehdr>(cubin, 0);
  const auto names = at<Elf64_Shdr>(cubin, header.e_shoff + header.e_shstrndx * sizeof(Elf64_Shdr));
  for (int i = 0; i < header.e_shnum; ++i) {
    const auto section = at<Elf64_Shdr>(cubin, header.e_shoff + i * sizeof(Elf64_Shdr));
    const std::size_t name = names.sh_offset + section.sh_name;
    if (name >= cubin.size()) throw std::runtime_error("cubin: cut short");
    visit(std::string_view(cubin.data() + name), section);
  }
}

constexpr std::string_view kText = ".text.";

Elf64_Shdr text_of(const std::string& cubin, const std::string& symbol) {
  std::optional<Elf64_Shdr> found;
  each_section(cubin, [&](std::string_view name, const Elf64_Shdr& section) {
    if (name.starts_with(kText) && name.substr(kText.size()) == symbol) found = section;
  });
  if (!found) throw std::runtime_error("cubin: no kernel " + symbol);
  return *found;
}

}  // namespace

std::set<std::string> kernels_in(const std::string& cubin) {
  std::set<std::string> symbols;
  each_section(cubin, [&](std::string_view name, const Elf64_Shdr&) {
    if (name.starts_with(kText)) symbols.emplace(name.substr(kText.size()));
  });
  return symbols;
}

std::string_view instructions_of(const std::string& cubin, const std::string& symbol) {
  const Elf64_Shdr text = text_of(cubin, symbol);
  if (text.sh_offset > cubin.size() || text.sh_size > cubin.size() - text.sh_offset)
    throw std::runtime_error("cubin: cut short");
  return std::string_view(cubin).substr(text.sh_offset, text.sh_size);
}

MachineCode machine_code(const std::string& cubin, const std::string& symbol) {
  const std::string_view text = instructions_of(cubin, symbol);
  MachineCode code;
  for (std::size_t i = 0; i + 16 <= text.size(); i += 16) {
    std::uint64_t words[2];
    std::memcpy(words, text.data() + i, sizeof words);
    count(code, words[0], words[1]);
  }
  code.instructions -= code.instructions > 0;  // the jump to itself behind the last exit
  return code;
}

}  // namespace ropeline::kernels
