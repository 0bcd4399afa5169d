#include "has_include.h"

#include <algorithm>

#include "error.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kBlanks = " \t\f\v\r\n\\";  // with what splices lines

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

std::size_t skip_blanks(std::string_view line, std::size_t at) {
  return std::min(line.find_first_not_of(kBlanks, at), line.size());
}

std::string_view word_at(std::string_view line, std::size_t at) {
  const auto end = std::find_if_not(line.begin() + static_cast<std::ptrdiff_t>(at), line.end(), is_word);
  return line.substr(at, static_cast<std::size_t>(end - line.begin()) - at);
}

bool is_spliced(std::string_view text, std::size_t newline) {
  return text.substr(0, newline).ends_with('\\') || text.substr(0, newline).ends_with("\\\r");
}

// The line around that place, with those that are spliced to it, up to a comment.
std::string_view line_around(std::string_view text, std::size_t at) {
  std::size_t begin = at, end = at;
  while (begin > 0 && (text[begin - 1] != '\n' || is_spliced(text, begin - 1))) --begin;
  while (end < text.size() && (text[end] != '\n' || is_spliced(text, end))) ++end;
  const std::string_view line = text.substr(begin, end - begin);
  return line.substr(0, line.find(" //"));
}

// The macro that a directive defines, and its parameters with what stands between them.
struct Macro {
  std::string_view name, parameters;

  bool has_parameter(std::string_view word) const {
    for (std::size_t at = parameters.find(word); at != parameters.npos; at = parameters.find(word, at + 1))
      if ((at == 0 || !is_word(parameters[at - 1])) && word_at(parameters, at) == word) return true;
    return false;
  }
};

Macro macro_of(std::string_view directive) {
  std::size_t at = skip_blanks(directive, directive.find_first_of("#:") + 1);
  if (word_at(directive, at) != "define") return {};
  at = skip_blanks(directive, at + 6);
  const std::string_view name = word_at(directive, at);
  at += name.size();
  if (at == directive.size() || directive[at] != '(') return {name, {}};
  return {name, directive.substr(at, directive.find(')', at) - at)};
}

class Search {
 public:
  explicit Search(const std::vector<std::string_view>& texts) : texts_(texts) {}

  std::string fault() {
    for (std::size_t i = 0; i < askers_.size(); ++i)
      for (const std::string_view text : texts_)
        if (std::string fault = fault_in(text, std::string(askers_[i])); !fault.empty()) return fault;
    return {};
  }

 private:
  std::string fault_in(std::string_view text, const std::string& asker) {
    for (std::size_t at = text.find(asker); at != text.npos; at = text.find(asker, at + 1)) {
      const std::string_view line = line_around(text, at);
      const auto place = static_cast<std::size_t>(text.data() + at - line.data());
      const std::size_t first = skip_blanks(line, 0);
      if (place >= line.size() || (line[first] != '#' && line.substr(first, 2) != "%:")) continue;
      if (is_word(line[place - 1]) || word_at(line, place) != asker) continue;
      if (std::string fault = fault_of(line, asker, place); !fault.empty()) return fault;
    }
    return {};
  }

  // Of one question, whose operands begin behind the parenthesis: one, or for a macro as many as it has.
  std::string fault_of(std::string_view line, const std::string& asker, std::size_t place) {
    std::size_t at = skip_blanks(line, place + asker.size());
    if (at == line.size() || line[at] != '(') return {};
    do {
      at = skip_blanks(line, at + 1);
      if (std::string fault = fault_of_operand(line, asker, at); !fault.empty()) return fault;
      at = line.find_first_of(",)", at);
    } while (at < line.size() && line[at] == ',');
    return {};
  }

  std::string fault_of_operand(std::string_view line, const std::string& asker, std::size_t at) {
    if (at == line.size()) return {};
    if (line[at] == '"' || line[at] == '<') {
      const std::string_view name = line.substr(at + 1, line.find_first_of("\">", at + 1) - at - 1);
      return name.starts_with('/') ? text(asker, " of the absolute name ", name) : "";
    }
    const std::string_view word = word_at(line, at);
    const Macro macro = macro_of(line);
    const bool is_name = !word.empty() && !(word[0] >= '0' && word[0] <= '9');
    if (!is_name || macro.name == asker) return {};
    if (!macro.has_parameter(word)) return text(asker, " of what the macro ", word, " spells");
    if (std::ranges::find(askers_, macro.name) == askers_.end()) askers_.push_back(macro.name);
    return {};
  }

  const std::vector<std::string_view>& texts_;
  std::vector<std::string_view> askers_ = {"__has_include", "__has_include_next"};
};

}  // namespace

std::string unanswerable(const std::vector<std::string_view>& texts) {
  const auto asks = [](std::string_view text) { return text.find("__has_include") != text.npos; };
  return std::ranges::any_of(texts, asks) ? Search(texts).fault() : "";
}

}  // namespace ropeline::jit
