#include "program.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "embedded.h"
#include "error.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

// An include directive within a line: where its operand (with the quotes) stands, and what it says.
struct Include {
  std::size_t begin = 0, end = 0;
  std::string name;
  bool quoted = false;
};

std::optional<Include> parse_include(std::string_view line) {
  const auto skip = [&](std::size_t at) { return std::min(line.find_first_not_of(" \t", at), line.size()); };
  std::size_t at = skip(0);
  if (at == line.size() || line[at] != '#') return std::nullopt;
  at = skip(at + 1);
  if (line.substr(at, 7) != "include") return std::nullopt;
  at = skip(at + 7);
  if (at == line.size() || (line[at] != '"' && line[at] != '<')) return std::nullopt;
  const bool quoted = line[at] == '"';
  const std::size_t close = line.find(quoted ? '"' : '>', at + 1);
  if (close == line.npos) return std::nullopt;
  return Include{at, close + 1, std::string(line.substr(at + 1, close - at - 1)), quoted};
}

std::string normal(const fs::path& path) { return path.lexically_normal().generic_string(); }

bool leaves_root(const std::string& name) { return name.starts_with("..") || name.starts_with("/"); }

std::optional<std::string> read_text(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class Resolver {
 public:
  explicit Resolver(const Source& source) : source_(source) {
    for (const Header& header : source.headers) own_[normal(header.name)] = &header.text;
  }

  // The text with its includes by canonical names; the headers that it reaches are added.
  std::string follow(std::string_view text, const std::string& name) {
    std::string out;
    out.reserve(text.size());
    const fs::path folder = fs::path(name).parent_path();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      append_line(out, text.substr(at, end - at), folder);
      at = end;
    }
    return out;
  }

  std::map<std::string, std::string> headers;

 private:
  void append_line(std::string& out, std::string_view line, const fs::path& folder) {
    const std::optional<Include> include = parse_include(line);
    const std::string name = include ? reach(*include, folder) : std::string();
    if (name.empty()) return void(out += line);
    out += text(line.substr(0, include->begin), '"', name, '"', line.substr(include->end));
  }

  // The canonical name of an include, with its file among the headers; empty when it is found nowhere.
  std::string reach(const Include& include, const fs::path& folder) {
    if (include.quoted)
      if (std::string name = normal(folder / include.name); add(name)) return name;
    if (std::string name = normal(include.name); add(name)) return name;
    return {};
  }

  bool add(const std::string& name) {
    if (leaves_root(name)) return false;
    if (headers.contains(name)) return true;
    const std::optional<std::string> found = find(name);
    if (!found) return false;
    headers[name];  // known from here on, so that headers may include each other
    headers[name] = follow(*found, name);
    return true;
  }

  std::optional<std::string> find(const std::string& name) const {
    if (const auto own = own_.find(name); own != own_.end()) return *own->second;
    if (const std::string_view text = embedded(name); !text.empty()) return std::string(text);
    for (const std::string& folder : source_.include_folders)
      if (auto text = read_text(fs::path(folder) / name)) return text;
    return std::nullopt;
  }

  const Source& source_;
  std::map<std::string, const std::string*> own_;
};

void check(const Source& source) {
  const auto refuse = [](const std::string& sentence) {
    throw Error(ErrorKind::invalid_argument, {Stage::source, sentence, {}, {}, {}});
  };
  if (source.name.empty() || source.name.find_first_of("\n\"") != std::string::npos)
    refuse(text("source.name: '", source.name, "' is not a file name for the compiler's messages"));
  if (source.text.empty()) refuse(text(source.name, ": source.text is empty"));
  if (source.kernels.empty()) refuse(text(source.name, ": source.kernels is empty; name at least one kernel"));
}

}  // namespace

Program resolve(const Source& source) {
  check(source);
  Resolver resolver(source);
  std::string text = resolver.follow(source.text, source.name);
  return {source.name, std::move(text), source.kernels, std::move(resolver.headers)};
}

}  // namespace ropeline::jit
