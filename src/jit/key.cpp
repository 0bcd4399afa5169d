#include "key.h"

#include <algorithm>

#include "env.h"
#include "error.h"

namespace ropeline::jit {
namespace {

// Raised when the text below, or the meaning of an entry, changes.
constexpr int kFormat = 1;

[[noreturn]] void refuse(const std::string& sentence, const std::string& hint) {
  throw Error(ErrorKind::invalid_argument, {Stage::source, sentence, hint, {}, {}});
}

void check_flag(const std::string& flag) {
  if (!flag.starts_with("-") || flag.find('\n') != std::string::npos)
    refuse(text("options.flags: '", flag, "' is not a flag"),
           "each flag is one word, with = before its value: -DWIDTH=4, --maxrregcount=64");
  if (flag.starts_with("-I") || flag.starts_with("--include-path"))
    refuse(text("options.flags: '", flag, "' would make code depend on a path"),
           "name the folder in source.include_folders: the texts that are reached become part of the key");
  if (flag.starts_with("-arch") || flag.starts_with("--gpu-architecture"))
    refuse(text("options.flags: '", flag, "' belongs into options.architecture"), {});
}

bool names_standard(const std::string& flag) { return flag.starts_with("-std=") || flag.starts_with("--std="); }

std::vector<std::string> sorted_flags(const std::string& architecture, const Options& options) {
  std::vector<std::string> flags = options.flags;
  for (const std::string& flag : flags) check_flag(flag);
  if (std::ranges::none_of(flags, names_standard)) flags.push_back("-std=c++20");
  if (options.minimal) flags.push_back("--minimal");
  flags.push_back("-default-device");
  flags.push_back("--ptxas-options=-v");  // registers and spills, in the log
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
  if (const auto append = env::nvrtc_append_flags()) key.text += text("append ", append->size(), " ", *append, "\n");
  if (!compiler.empty()) key.text += "compiler " + compiler + "\n";
  for (const std::string& kernel : program.kernels)
    key.text.append("kernel ").append(std::to_string(kernel.size())).append(" ").append(kernel).append("\n");
  append_file(key.text, program.name, program.text);
  for (const auto& [name, content] : program.headers) append_file(key.text, name, content);
  key.digest = sha256(key.text);
  return key;
}

}  // namespace ropeline::jit
