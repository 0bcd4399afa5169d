#include "tools/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "ropeline/jit_cache.h"
#include "tools/key_parts.h"

namespace ropeline::tools {
namespace {

struct Known {
  const jit::CachedEntry* entry;
  std::string where;  // empty: the cache folder
  KeyParts parts;
};

// What look-ups read, in their order: packs, read-only folders, the cache folder. A folder that is not read has nothing
// to compare with.
class KnownEntries {
 public:
  KnownEntries() {
    for (const std::string& pack : jit::default_config().packs) add(jit::packed_entries(pack), pack);
    for (const jit::CacheStatus& folder : jit::read_only_status())
      if (folder.readable) add(jit::read_only_entries(folder.folder), folder.folder);
    if (jit::cache_status().readable) add(jit::cached_entries(), "");
  }

  const std::vector<Known>& all() const { return known_; }

  /// The one that has that key, whole or not.
  const Known* with_key(const std::string& key) const {
    const auto at = std::ranges::find_if(known_, [&](const Known& k) { return k.entry->name.starts_with(key); });
    return at == known_.end() ? nullptr : &*at;
  }

  const Known* nearest(const KeyParts& parts) const {
    const Known* best = nullptr;
    std::size_t least = 0;
    for (const Known& known : known_) {
      if (!known.entry->binary) continue;
      const std::size_t far = distance(known.parts, parts);
      if (!best || far < least) best = &known, least = far;
    }
    return best;
  }

 private:
  void add(std::vector<jit::CachedEntry> entries, const std::string& where) {
    owned_.push_back(std::move(entries));
    for (const jit::CachedEntry& entry : owned_.back())
      known_.push_back({&entry, where, entry.binary ? key_parts(entry.binary->key_text) : KeyParts{}});
  }

  std::vector<std::vector<jit::CachedEntry>> owned_;  // moving a vector moves no element
  std::vector<Known> known_;
};

// "NVRTC 13.0.88"; another compiler says its name itself: "13.0.88 nvcc".
std::string compiler_of(const jit::Binary& binary) {
  return (binary.compiler.find(' ') == std::string::npos ? "NVRTC " : "") + binary.compiler;
}

std::string found(const jit::Build& build) {
  return fmt::format("found in the {} in {:.1f} ms, compiled by {}\n  {}\n", jit::name_of(build.origin),
                     build.milliseconds, compiler_of(*build.binary), build.path);
}

constexpr std::size_t kMostLines = 14;

std::string missing(const std::string& key_text, const KnownEntries& entries) {
  const KeyParts ours = key_parts(key_text);
  std::string text = "not found\n";
  const Known* near = entries.nearest(ours);
  if (!near) return text + fmt::format("  there is no entry to compare with\n");
  text += fmt::format("  nearest of {}: {}{}{}, which differs by\n", entries.all().size(), near->entry->name,
                      near->where.empty() ? "" : " in ", near->where);
  const std::vector<std::string> lines = difference(near->parts, "there", ours, "wanted");
  for (std::size_t i = 0; i < std::min(lines.size(), kMostLines); ++i) text += "    " + lines[i] + "\n";
  return lines.size() > kMostLines ? text + fmt::format("    and {} lines more\n", lines.size() - kMostLines) : text;
}

// The key is there and yet no look-up takes it.
std::string refused(const jit::CachedEntry& entry) {
  const bool old = entry.binary && std::atoi(entry.binary->compiler.c_str()) < 12;
  const std::string why = !entry.binary ? entry.fault
                          : old         ? compiler_of(*entry.binary) + " is too old"
                                        : "is whole, and was not there a moment ago";
  return fmt::format("not found\n  {}: {}\n", entry.name, why);
}

std::string explained(const Wanted& wanted, const KnownEntries& entries) {
  const jit::Options options{.architecture = wanted.architecture};
  const std::string head = fmt::format("{} {}: ", wanted.name, wanted.architecture);
  if (const auto build = jit::find(wanted.source, options)) return head + found(*build);
  const auto [key, text] = jit::key_of(wanted.source, options);
  if (const Known* same = entries.with_key(key)) return head + refused(*same->entry);
  return head + missing(text, entries);
}

}  // namespace

std::string explain(const ProgramWords& words) {
  const std::vector<Wanted> programs = programs_of(words);
  const KnownEntries entries;
  std::string text;
  for (const Wanted& wanted : programs) text += explained(wanted, entries);
  const jit::CacheStatus cache = jit::cache_status();
  if (!cache.readable)
    text += fmt::format("kernel cache: {}{}{}\n", cache.folder, cache.folder.empty() ? "" : " ", cache.reason);
  return text;
}

}  // namespace ropeline::tools
