#include "kernel_parameters.h"

#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>

namespace ropeline::binding {
namespace {

using Parameters = std::vector<Parameter>;

// --- the name ----------------------------------------------------------------------------------------------------

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == text.npos ? std::string() : std::string(text.substr(first, last - first + 1));
}

// The text between the last closing parenthesis and its partner: "void f<(int)4>(float*, int)" has "float*, int".
std::string_view in_last_parentheses(std::string_view text) {
  const auto end = text.rfind(')');
  int depth = 0;
  for (auto at = end; at != text.npos && at < text.size(); --at) {
    depth += text[at] == ')' ? 1 : text[at] == '(' ? -1 : 0;
    if (depth == 0) return text.substr(at + 1, end - at - 1);
  }
  return {};
}

std::vector<std::string> split_at_commas(std::string_view list) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t first = 0;
  for (std::size_t at = 0; at <= list.size(); ++at) {
    const char c = at < list.size() ? list[at] : ',';
    depth += c == '<' || c == '(' || c == '[' || c == '{' ? 1 : c == '>' || c == ')' || c == ']' || c == '}' ? -1 : 0;
    if (c != ',' || (depth > 0 && at < list.size())) continue;
    if (std::string part = trimmed(list.substr(first, at - first)); !part.empty()) parts.push_back(std::move(part));
    first = at + 1;
  }
  return parts;
}

// --- a cubin -----------------------------------------------------------------------------------------------------

template <class T>
std::optional<T> read(std::string_view bytes, std::size_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::string_view slice(std::string_view bytes, std::size_t at, std::size_t size) {
  return at <= bytes.size() ? bytes.substr(at, size) : std::string_view();
}

std::string_view section(std::string_view image, std::string_view name) {
  const auto header = read<Elf64_Ehdr>(image, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return {};
  const auto at = [&](unsigned i) { return read<Elf64_Shdr>(image, header->e_shoff + i * sizeof(Elf64_Shdr)); };
  const auto names = at(header->e_shstrndx);
  if (!names) return {};
  const std::string_view texts = slice(image, names->sh_offset, names->sh_size);
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto one = at(i);
    if (!one || one->sh_name >= texts.size()) continue;
    const std::string_view rest = texts.substr(one->sh_name);
    if (rest.substr(0, rest.find('\0')) == name) return slice(image, one->sh_offset, one->sh_size);
  }
  return {};
}

// An attribute of .nv.info: how its value is kept, which it is, and the value or its size.
struct Attribute {
  static constexpr std::uint8_t sized = 4;                                 // EIFMT_SVAL
  static constexpr std::uint8_t parameter = 0x17, large_parameter = 0x45;  // EIATTR_KPARAM_INFO, and its second form
  std::uint8_t format, kind;
  std::uint16_t value;
};

struct CubinParameter {
  std::uint32_t index;
  std::uint16_t ordinal, offset;
  std::uint32_t last;  // the upper 14 bits are the size; all are in the second form, of kernels with above 4 KB
  Parameter plain(bool large) const { return {{}, offset, large ? last : last >> 18}; }
};

std::optional<Parameters> sizes_in_cubin(const std::string& image, const std::string& symbol) {
  const std::string_view info = section(image, ".nv.info." + symbol);
  if (info.empty()) return std::nullopt;
  std::map<std::uint16_t, Parameter> found;  // by place
  for (std::size_t at = 0; at < info.size();) {
    const auto attribute = read<Attribute>(info, at);
    if (!attribute) return std::nullopt;
    const bool large = attribute->kind == Attribute::large_parameter;
    if ((large || attribute->kind == Attribute::parameter) && attribute->format == Attribute::sized)
      if (const auto one = read<CubinParameter>(info, at + sizeof(Attribute))) found[one->ordinal] = one->plain(large);
    at += sizeof(Attribute) + (attribute->format == Attribute::sized ? attribute->value : 0);
  }
  Parameters parameters;
  for (const auto& [place, one] : found) parameters.push_back(one);
  return parameters;
}

// --- PTX ---------------------------------------------------------------------------------------------------------

// ".param .align 8 .b8 name[24]" is 24 bytes at a multiple of 8, ".param .f32 name" 4 at a multiple of 4.
std::optional<Parameter> declared(const std::string& line, unsigned end) {
  const auto number_after = [&](std::string_view mark) {
    const auto at = line.find(mark);
    return at == line.npos ? 0u : static_cast<unsigned>(std::atoi(line.c_str() + at + mark.size()));
  };
  unsigned element = 0;
  for (const char* type : {".b", ".u", ".s", ".f"})
    if (const unsigned bits = number_after(type)) element = bits / 8;
  if (!element) return std::nullopt;
  const unsigned align = std::max(number_after(".align "), element);
  return Parameter{{}, (end + align - 1) / align * align, element * std::max(number_after("["), 1u)};
}

std::optional<Parameters> sizes_in_ptx(const std::string& image, const std::string& symbol) {
  const auto entry = image.find(".entry " + symbol + "(");
  if (entry == image.npos) return std::nullopt;
  const std::string list(
      in_last_parentheses(std::string_view(image).substr(entry, image.find(')', entry) + 1 - entry)));
  Parameters parameters;
  unsigned end = 0;
  for (const std::string& line : split_at_commas(list)) {
    // The name, which may say anything, is the last word; its brackets stay. What .ptr says is about the pointee.
    const auto name = line.rfind(symbol);
    const auto bracket = line.find('[', name == line.npos ? 0 : name);
    const std::string without = line.substr(0, name) + (bracket == line.npos ? std::string() : line.substr(bracket));
    const auto one = declared(without.substr(0, without.find(".ptr")), end);
    if (!one) return std::nullopt;
    end = one->offset + one->bytes;
    parameters.push_back(*one);
  }
  return parameters;
}

}  // namespace

std::optional<std::vector<std::string>> types_in(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  if (!symbol.starts_with("_Z") || status != 0) return std::nullopt;
  return split_at_commas(in_last_parentheses(name.get()));
}

std::optional<Parameters> parameters_of(const jit::Binary& binary, const jit::KernelFacts& kernel) {
  const bool ptx = binary.architecture.starts_with("compute_");
  auto parameters = (ptx ? sizes_in_ptx : sizes_in_cubin)(binary.image, kernel.symbol);
  const auto types = types_in(kernel.symbol);
  if (!parameters || !types) return parameters;
  if (types->size() != parameters->size()) return std::nullopt;
  for (std::size_t i = 0; i < types->size(); ++i) (*parameters)[i].type = (*types)[i];
  return parameters;
}

}  // namespace ropeline::binding
