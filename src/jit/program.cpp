#include "program.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "directive.h"
#include "embedded.h"
#include "error.h"
#include "has_include.h"

namespace ropeline::jit {
namespace {

namespace fs = std::filesystem;

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

bool leaves_folder(std::string_view name) { return name.starts_with("../") || name == ".."; }

// A header's text; nothing when there is no such file. One that cannot be read is not an empty one, nor an absent one.
std::optional<std::string> read_text(const std::string& program, const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  const auto refuse = [&](const char* why) {
    throw Error(ErrorKind::invalid_argument,
                {Stage::source, text(program, ": ", path.string(), ": ", why), "its text is part of the key", {}, {}});
  };
  if (status.type() == fs::file_type::none) refuse(error.message().c_str());
  if (status.type() != fs::file_type::regular) return std::nullopt;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (!file) refuse(errno ? std::strerror(errno) : "cannot be read");
  return content;
}

// What stands in place of an include that cannot be followed. The compiler says it where it comes by, together with the
// rest of the line; a branch that is not taken costs nothing.
constexpr std::string_view kHidden = "error only #include \"name\" and #include <name>, on one line, are followed: ",
                           kAbsolute = "error an include may not be an absolute path, whose text no key would hold: ",
                           kLeaves = "error found beside none of the include folders: ";

class Resolver {
 public:
  explicit Resolver(const Source& source) : source_(source) {
    for (const Header& header : source.headers) own_[normal({}, header.name)] = &header.text;
  }

  // The text with its includes by canonical names; the headers that it reaches are added.
  std::string follow(std::string_view text, std::string_view name) {
    std::string out;
    out.reserve(text.size() + 64);
    std::size_t copied = 0;
    const auto replace = [&](std::size_t begin, std::size_t end, std::string_view by) {
      out.append(text, copied, begin - copied).append(by);
      copied = end;
    };
    const bool digraphs = text.find("%:") != text.npos;
    const auto next = [&](std::size_t from) {
      return digraphs ? std::min(text.find('#', from), text.find("%:", from)) : text.find('#', from);
    };
    for (std::size_t hash = next(0), end; hash != text.npos; hash = next(end)) {
      const std::size_t line = text.rfind('\n', hash) + 1;  // or 0
      end = std::min(text.find('\n', hash), text.size());
      const std::size_t after = hash + (text[hash] == '#' ? 1 : 2);
      if (const auto include = parse_include(text.substr(line, end - line))) {
        const Reached reached = reach(*include, folder_of(name));
        if (!reached.name.empty()) replace(line + include->begin, line + include->end, "\"" + reached.name + "\"");
        if (!reached.refusal.empty()) replace(after, after, reached.refusal);
      } else if (opens_a_file(text, hash)) {
        replace(after, after, kHidden);
      }
    }
    return out.append(text, copied);
  }

  std::map<std::string, std::string> headers;

 private:
  struct Reached {
    std::string name = {};          // canonical; empty when the include is left to the compiler, which will not find it
    std::string_view refusal = {};  // why it may not be
  };

  // An include's file, added to the headers.
  Reached reach(const Include& include, std::string_view folder) {
    if (include.name.starts_with('/')) return {.refusal = kAbsolute};
    if (include.quoted)
      if (const std::string name = one_name(normal(folder, include.name)); add(name)) return {name};
    const std::string name = one_name(normal({}, include.name));
    if (add(name)) return {name};
    return {.refusal = leaves_folder(name) ? kLeaves : ""};
  }

  // "../sub/a.h" seen from folder "sub", or from any include folder that holds the same file, is "a.h": two names would
  // be two headers.
  std::string one_name(std::string name) const {
    if (!leaves_folder(name) || own_.contains(name)) return name;
    for (const std::string& folder : source_.include_folders) {
      const fs::path file = (fs::absolute(folder) / name).lexically_normal();
      if (std::error_code ignored; !fs::is_regular_file(file, ignored)) continue;
      for (const std::string& other : source_.include_folders) {
        const fs::path root = (fs::absolute(other) / "").lexically_normal();
        if (std::string inside = file.lexically_relative(root); !leaves_folder(inside)) return inside;
      }
      return name;
    }
    return name;
  }

  bool add(const std::string& name) {
    if (name.starts_with('/')) return false;
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
      if (auto text = read_text(source_.name, fs::path(folder) / name)) return read = std::move(*text);
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

// Whatever code depends on is in the key, or an error.
void check_questions(const Program& program) {
  std::vector<std::string_view> texts = {program.text};
  for (const auto& [name, content] : program.headers) texts.push_back(content);
  const std::string fault = unanswerable(texts);
  if (fault.empty()) return;
  throw Error(ErrorKind::invalid_argument,
              {Stage::source,
               text(program.name, ": ", fault, " would make code depend on this machine's files"),
               "ask for \"name\" or <name>, relative to an include folder",
               {},
               {}});
}

}  // namespace

Program resolve(const Source& source) {
  check(source);
  Resolver resolver(source);
  std::string text = resolver.follow(source.text, source.name);
  Program program{source.name, std::move(text), source.kernels, std::move(resolver.headers)};
  check_questions(program);
  return program;
}

}  // namespace ropeline::jit
