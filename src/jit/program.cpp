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
  std::string_view name;
  bool quoted = false;
};

std::optional<Include> parse_include(std::string_view line) {
  const auto skip = [&](std::size_t at) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    return at;
  };
  std::size_t at = skip(0);
  if (at == line.size() || line[at] != '#') return std::nullopt;
  at = skip(at + 1);
  if (line.substr(at, 7) != "include") return std::nullopt;
  at = skip(at + 7);
  if (at == line.size() || (line[at] != '"' && line[at] != '<')) return std::nullopt;
  const bool quoted = line[at] == '"';
  const std::size_t close = line.find(quoted ? '"' : '>', at + 1);
  if (close == line.npos) return std::nullopt;
  return Include{at, close + 1, line.substr(at + 1, close - at - 1), quoted};
}

// "a/./b//../c" is "a/c": the one name by which a header is known. Whatever begins at the file system's root is "/".
std::string normal(std::string_view folder, std::string_view name) {
  std::string out;
  const auto append = [&](std::string_view part) {
    const std::size_t last = out.rfind('/') + 1;  // where the last part begins
    if (part.empty() || part == ".") return;
    if (part == ".." && !out.empty() && std::string_view(out).substr(last) != "..") {
      out.resize(last ? last - 1 : 0);
    } else {
      if (!out.empty()) out += '/';
      out += part;
    }
  };
  if (name.starts_with('/') || folder.starts_with('/')) return "/";
  for (std::string_view path : {folder, name})
    for (std::size_t at = 0; at < path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      append(path.substr(at, end - at));
      at = end + 1;
    }
  return out;
}

std::string_view folder_of(std::string_view name) { return name.substr(0, name.rfind('/') + 1); }

bool leaves_root(std::string_view name) { return name.starts_with("..") || name.starts_with("/"); }

std::optional<std::string> read_text(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class Resolver {
 public:
  explicit Resolver(const Source& source) : source_(source) {
    for (const Header& header : source.headers) own_[normal({}, header.name)] = &header.text;
  }

  // The text with its includes by canonical names; the headers that it reaches are added.
  std::string follow(std::string_view text, std::string_view name) {
    std::string out;
    out.reserve(text.size() + 64);
    const std::string_view folder = folder_of(name);
    std::size_t copied = 0;
    for (std::size_t hash = text.find('#'), end; hash != text.npos; hash = text.find('#', end)) {
      const std::size_t line = text.rfind('\n', hash) + 1;  // or 0
      end = std::min(text.find('\n', hash), text.size());
      if (const auto include = parse_include(text.substr(line, end - line)))
        if (const std::string reached = reach(*include, folder); !reached.empty()) {
          out.append(text, copied, line + include->begin - copied).append("\"").append(reached).append("\"");
          copied = line + include->end;
        }
    }
    return out.append(text, copied);
  }

  std::map<std::string, std::string> headers;

 private:
  // The canonical name of an include, with its file among the headers; empty when it is found nowhere.
  std::string reach(const Include& include, std::string_view folder) {
    if (include.quoted)
      if (std::string name = normal(folder, include.name); add(name)) return name;
    if (std::string name = normal({}, include.name); add(name)) return name;
    return {};
  }

  bool add(const std::string& name) {
    if (leaves_root(name)) return false;
    if (headers.contains(name)) return true;
    std::string read;
    const std::optional<std::string_view> found = find(name, read);
    if (!found) return false;
    headers[name];  // known from here on, so that headers may include each other
    headers[name] = follow(*found, name);
    return true;
  }

  // `read` keeps the text of a file.
  std::optional<std::string_view> find(const std::string& name, std::string& read) const {
    if (const auto own = own_.find(name); own != own_.end()) return *own->second;
    if (const std::string_view text = embedded(name); !text.empty()) return text;
    for (const std::string& folder : source_.include_folders)
      if (auto text = read_text(fs::path(folder) / name)) return read = std::move(*text);
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
