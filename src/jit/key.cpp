#include "key.h"

#include <algorithm>
#include <sstream>

#include "env.h"
#include "error.h"

namespace ropeline::jit {
namespace {

// Raised when the text below, or the meaning of an entry, changes.
constexpr int kFormat = 2;

[[noreturn]] void refuse(const std::string& sentence, const std::string& hint) {
  throw Error(ErrorKind::invalid_argument, {Stage::source, sentence, hint, {}, {}});
}

bool has(const std::string& flag, std::initializer_list<const char*> parts, bool anywhere = false) {
  return std::ranges::any_of(parts, [&](const char* part) {
    return anywhere ? flag.find(part) != std::string::npos : flag.starts_with(part);
  });
}

// Nothing that the key does not hold may change code. `from` names where the flag stands.
void check_files(const std::string& from, const std::string& flag) {
  if (has(flag, {"-I", "--include-path"}))
    refuse(text(from, ": '", flag, "' would make code depend on a path"),
           "name the folder in source.include_folders: the texts that are reached become part of the key");
  if (has(flag,
          {"-include", "--pre-include", "-use-pch", "--use-pch", "-create-pch", "--create-pch", "-pch", "--pch"}) ||
      has(flag, {"-optf", "--options-file"}, true))
    refuse(text(from, ": '", flag, "' names a file whose text no key holds"),
           "include the file in source.text, with its text in source.headers or its folder in source.include_folders");
  if (has(flag, {"-fdevice-time-trace", "--fdevice-time-trace", "-time", "--time"}))
    refuse(text(from, ": '", flag, "' has the compiler write a file"), "events say what a compile took");
}

void check_flag(const std::string& flag) {
  constexpr const char* from = "options.flags";
  if (!flag.starts_with("-") || flag.find('\n') != std::string::npos)
    refuse(text(from, ": '", flag, "' is not a flag"),
           "each flag is one word, with = before its value: -DWIDTH=4, --maxrregcount=64");
  check_files(from, flag);
  if (has(flag, {"-no-source-include", "--no-source-include"}))
    refuse(text(from, ": '", flag, "' is given to every compile"), {});
  if (has(flag, {"-arch", "--gpu-architecture"}))
    refuse(text(from, ": '", flag, "' belongs into options.architecture"), {});
}

// What NVRTC adds by itself.
void check_appended(const std::string& flags) {
  std::istringstream words(flags);
  for (std::string flag; words >> flag;) check_files("NVRTC_APPEND_FLAGS", flag);
}

bool names_standard(const std::string& flag) { return flag.starts_with("-std=") || flag.starts_with("--std="); }

std::vector<std::string> sorted_flags(const std::string& architecture, const Options& options) {
  std::vector<std::string> flags = options.flags;
  for (const std::string& flag : flags) check_flag(flag);
  if (std::ranges::none_of(flags, names_standard)) flags.push_back("-std=c++20");
  if (options.minimal) flags.push_back("--minimal");
  flags.push_back("-default-device");
  flags.push_back("--no-source-include");  // or the working directory would be searched, and its files be in no key
  flags.push_back("--ptxas-options=-v");   // registers and spills, in the log
  flags.push_back("-arch=" + architecture);
  std::ranges::sort(flags);
  flags.erase(std::ranges::unique(flags).begin(), flags.end());
  return flags;
}

// A file with its length before it, so that no text can pass for another one.
void append_file(std::string& key, const std::string& name, const std::string& content) {
  key.append("file ").append(name).append(" ").append(std::to_string(content.size())).append("\n");
  key.append(content).append("\n");
}

// About what its key takes.
std::size_t size_of(const Program& program) {
  std::size_t size = 1024 + program.text.size();
  for (const std::string& kernel : program.kernels) size += kernel.size() + 32;
  for (const auto& [name, content] : program.headers) size += name.size() + content.size() + 32;
  return size;
}

}  // namespace

void check_architecture(const std::string& architecture) {
  const bool real = architecture.starts_with("sm_");
  const std::size_t prefix = real ? 3 : 8;
  const std::size_t end = architecture.find_first_not_of("0123456789", prefix);
  const std::string suffix = end == std::string::npos ? "" : architecture.substr(end);
  const bool digits = architecture.size() >= prefix + 2 && end != prefix;
  if ((real || architecture.starts_with("compute_")) && digits &&
      (suffix.empty() || (real && (suffix == "a" || suffix == "f"))))
    return;
  refuse(text("options.architecture: '", architecture, "' is not an architecture"),
         "write sm_90, sm_90a, sm_100f, or compute_90 for PTX");
}

Key make_key(const Program& program, const std::string& architecture, const Options& options,
             const std::string& compiler) {
  check_architecture(architecture);
  Key key;
  key.flags = sorted_flags(architecture, options);
  key.text.reserve(size_of(program));
  key.text += text("ropeline jit ", kFormat, "\n");
  for (const std::string& flag : key.flags) key.text += "flag " + flag + "\n";
  if (const auto append = env::nvrtc_append_flags()) {
    check_appended(*append);
    key.text += text("append ", append->size(), " ", *append, "\n");
  }
  if (!compiler.empty()) key.text += "compiler " + compiler + "\n";
  for (const std::string& kernel : program.kernels)
    key.text.append("kernel ").append(std::to_string(kernel.size())).append(" ").append(kernel).append("\n");
  append_file(key.text, program.name, program.text);
  for (const auto& [name, content] : program.headers) append_file(key.text, name, content);
  key.digest = sha256(key.text);
  return key;
}

}  // namespace ropeline::jit
