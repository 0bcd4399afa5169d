#include "ropeline/error.h"

#include "error.h"
#include "ropeline/jit.h"

namespace ropeline::jit {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += text(" ", word);
  return line;
}

std::string in_full(const Error::Parts& parts) {
  std::string all = text("jit ", name_of(parts.stage), ": ", parts.sentence);
  if (!parts.hint.empty()) all += text("\nhint: ", parts.hint);
  if (!parts.options.empty()) all += text("\noptions:", joined(parts.options));
  if (!parts.log.empty()) all += text("\nlog:\n", parts.log);
  return all;
}

}  // namespace

Error::Error(ErrorKind kind, Parts parts) : ropeline::Error(kind, in_full(parts)), parts_(std::move(parts)) {}

const char* name_of(Stage stage) noexcept {
  switch (stage) {
    case Stage::source: return "source";
    case Stage::compiler: return "compiler";
    case Stage::compile: return "compile";
    case Stage::cache: return "cache";
    case Stage::driver: return "driver";
    case Stage::load: return "load";
    case Stage::launch: return "launch";
  }
  return "?";
}

const char* name_of(Origin origin) noexcept {
  switch (origin) {
    case Origin::memory: return "memory";
    case Origin::pack: return "pack";
    case Origin::read_only: return "read-only folder";
    case Origin::cache: return "cache";
    case Origin::compiled: return "compiled";
  }
  return "?";
}

const char* name_of(Event::Kind kind) noexcept {
  using enum Event::Kind;
  switch (kind) {
    case hit: return "hit";
    case miss: return "miss";
    case compiled: return "compiled";
    case published: return "published";
    case not_published: return "not published";
    case bad_entry: return "bad entry";
    case folder_refused: return "folder refused";
    case lock_abandoned: return "lock abandoned";
    case warning: return "warning";
  }
  return "?";
}

}  // namespace ropeline::jit
