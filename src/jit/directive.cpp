#include "directive.h"

#include <algorithm>
#include <string>

namespace ropeline::jit {
namespace {

constexpr std::string_view kBlanks = " \t\f\v";

bool is_blank(char c) { return kBlanks.find(c) != kBlanks.npos; }

std::size_t skip_blanks(std::string_view line, std::size_t at) {
  return std::min(line.find_first_not_of(kBlanks, at), line.size());
}

// The length of a spliced line's end at that place: a backslash and a line feed.
std::size_t splice_at(std::string_view text, std::size_t at) {
  for (const std::string_view splice : {"\\\n", "\\\r\n"})
    if (text.substr(at, splice.size()) == splice) return splice.size();
  return 0;
}

// Beyond blanks, comments and spliced ends of lines.
std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
    } else if (const std::size_t splice = splice_at(text, at)) {
      at += splice;
    } else if (text.substr(at, 2) == "/*") {
      const std::size_t close = text.find("*/", at + 2);
      if (close == text.npos) return text.size();
      at = close + 2;
    } else {
      break;
    }
  }
  return at;
}

std::string word_at(std::string_view text, std::size_t at) {
  std::string word;
  while (at < text.size() && word.size() < 16) {
    const char c = text[at];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')
      word += c, ++at;
    else if (const std::size_t splice = splice_at(text, at))
      at += splice;
    else
      break;
  }
  return word;
}

// Nothing before it on its line but blanks, or a comment's end.
bool begins_a_line(std::string_view text, std::size_t hash) {
  const std::size_t last = text.substr(0, hash).find_last_not_of(kBlanks);
  return last == text.npos || text[last] == '\n' || (last > 0 && text.substr(last - 1, 2) == "*/");
}

}  // namespace

std::optional<Include> parse_include(std::string_view line) {
  std::size_t at = skip_blanks(line, 0);
  if (at == line.size() || line[at] != '#') return std::nullopt;
  at = skip_blanks(line, at + 1);
  if (line.substr(at, 7) != "include") return std::nullopt;
  at = skip_blanks(line, at + 7);
  if (at == line.size() || (line[at] != '"' && line[at] != '<')) return std::nullopt;
  const bool quoted = line[at] == '"';
  const std::size_t close = line.find(quoted ? '"' : '>', at + 1);
  if (close == line.npos) return std::nullopt;
  return Include{at, close + 1, line.substr(at + 1, close - at - 1), quoted};
}

bool opens_a_file(std::string_view text, std::size_t hash) {
  if (!begins_a_line(text, hash)) return false;
  const std::size_t after = hash + (text[hash] == '#' ? 1 : 2);
  const std::string word = word_at(text, skip_space(text, after));
  return word == "include" || word == "include_next" || word == "import" || word == "embed";
}

}  // namespace ropeline::jit
