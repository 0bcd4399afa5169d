#include "kernel_names.h"

#include <algorithm>
#include <cctype>

namespace ropeline::jit {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// Behind the parenthesis that closes the one at that place.
std::size_t behind_parentheses(std::string_view text, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < text.size(); ++at) {
    depth += (text[at] == '(') - (text[at] == ')');
    if (depth == 0) return at + 1;
  }
  return text.size();
}

// The first word before a parenthesis that is no attribute: `__launch_bounds__(128)` is passed over.
std::string_view name_before_parameters(std::string_view declaration) {
  const std::string_view until = declaration.substr(0, declaration.find_first_of(";{"));
  for (std::size_t open = until.find('('); open != until.npos; open = until.find('(', open)) {
    std::size_t end = open;
    while (end > 0 && std::isspace(static_cast<unsigned char>(until[end - 1]))) --end;
    std::size_t begin = end;
    while (begin > 0 && is_word(until[begin - 1])) --begin;
    const std::string_view word = until.substr(begin, end - begin);
    if (!word.starts_with("__") && word != "alignas") return word;
    open = behind_parentheses(until, open);
  }
  return {};
}

}  // namespace

std::vector<std::string> kernels_in(std::string_view text) {
  constexpr std::string_view mark = "__global__";
  std::vector<std::string> names;
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + 1)) {
    const std::string name(name_before_parameters(text.substr(at + mark.size())));
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string_view bare_name(std::string_view expression) {
  const std::string_view name = expression.substr(0, expression.find('<'));
  const std::size_t colons = name.rfind("::");
  return colons == name.npos ? name : name.substr(colons + 2);
}

}  // namespace ropeline::jit
