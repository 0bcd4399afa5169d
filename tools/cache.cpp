#include "tools/cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ropeline/error.h"
#include "ropeline/jit_cache.h"
#include "tools/key_parts.h"
#include "tools/progress.h"

namespace ropeline::tools {
namespace {

using jit::CachedEntry;
using Entries = std::vector<CachedEntry>;

Entries entries_of(const CacheWords& words) {
  if (!words.folder.empty()) return jit::read_only_entries(words.folder);
  return words.pack.empty() ? jit::cached_entries() : jit::packed_entries(words.pack);
}

std::string place_of(const CacheWords& words) {
  if (!words.folder.empty()) return words.folder;
  return words.pack.empty() ? jit::cache_status().folder : words.pack;
}

double seconds_since(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(std::chrono::system_clock::now() - time).count();
}

std::string age_of(const CachedEntry& entry) {
  const double seconds = std::max(0.0, seconds_since(entry.written));
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{:.0f} h", seconds / 3600);
  return fmt::format("{:.0f} d", seconds / 86400);
}

std::string key_of(const CachedEntry& entry) { return entry.name.substr(0, 12); }

std::string total_of(const Entries& entries) {
  std::uint64_t bytes = 0;
  for (const CachedEntry& entry : entries) bytes += entry.bytes;
  return fmt::format("{} {}, {} bytes", entries.size(), entries.size() == 1 ? "entry" : "entries",
                     grouped(static_cast<std::int64_t>(bytes)));
}

std::string registers_of(const std::vector<jit::KernelFacts>& kernels) {
  const auto [least, most] = std::ranges::minmax(kernels, {}, &jit::KernelFacts::registers);
  return least.registers == most.registers ? std::to_string(most.registers)
                                           : fmt::format("{}-{}", least.registers, most.registers);
}

std::string row(const std::string& key, const std::string& program, const std::string& architecture,
                const std::string& compiler, const std::string& kernels, const std::string& registers,
                const std::string& bytes, const std::string& age) {
  return fmt::format("{:<12}  {:<20} {:<11} {:<9} {:>7} {:>9} {:>11} {:>8}\n", key, program, architecture, compiler,
                     kernels, registers, bytes, age);
}

std::string row_of(const CachedEntry& entry) {
  const std::string bytes = grouped(static_cast<std::int64_t>(entry.bytes));
  if (!entry.binary)
    return row(key_of(entry), entry.damaged ? "DAMAGED" : "NOT READ", "", "", "", "", bytes, age_of(entry));
  const jit::Binary& binary = *entry.binary;
  return row(key_of(entry), key_parts(binary.key_text).program(), binary.architecture, binary.compiler,
             std::to_string(binary.kernels.size()), binary.kernels.empty() ? "" : registers_of(binary.kernels), bytes,
             age_of(entry));
}

std::string kernels_of(const CachedEntry& entry) {
  std::string text;
  if (!entry.binary) return text;
  for (const jit::KernelFacts& kernel : entry.binary->kernels)
    text += fmt::format("    {} registers, {} bytes of spills: {}\n", kernel.registers,
                        kernel.spill_store_bytes + kernel.spill_load_bytes, kernel.expression);
  return text;
}

// --- prune -------------------------------------------------------------------------------------------------------

void check(const PruneWords& words) {
  if (words.size || words.age || !words.compiler.empty() || words.damaged) return;
  throw Error(ErrorKind::invalid_argument,
              "nothing to prune by: name --size, --age, --compiler or --damaged, several of them for what any names");
}

// "12.8" is 12.8.93, but not 12.80; both compilers of a version have it: "13.0.88" and "13.0.88 nvcc".
bool is_version(const std::string& name, const std::string& wanted) {
  const std::string compiler = name.substr(0, name.find(' '));
  return name == wanted || compiler == wanted || compiler.starts_with(wanted + ".");
}

std::string reason_for(const CachedEntry& entry, const PruneWords& words) {
  if (!entry.binary) return words.damaged && entry.damaged ? entry.fault : "";
  if (!words.compiler.empty() && is_version(entry.binary->compiler, words.compiler))
    return "compiled by " + entry.binary->compiler;
  if (words.age && seconds_since(entry.written) > static_cast<double>(*words.age)) return age_of(entry) + " old";
  return {};
}

struct Removal {
  const CachedEntry* entry;
  std::string reason;
};

// What the words name one by one; of the rest, the oldest, until what is left is small enough.
std::vector<Removal> removals(const Entries& entries, const PruneWords& words) {
  std::vector<Removal> list;
  std::vector<const CachedEntry*> rest;
  std::uint64_t bytes = 0;
  for (const CachedEntry& entry : entries) {
    if (std::string reason = reason_for(entry, words); !reason.empty()) {
      list.push_back({&entry, std::move(reason)});
      continue;
    }
    rest.push_back(&entry);
    bytes += entry.bytes;
  }
  std::ranges::stable_sort(rest, {}, &CachedEntry::written);
  for (const CachedEntry* entry : rest) {
    if (!words.size || bytes <= *words.size) break;
    list.push_back({entry, age_of(*entry) + " old, to make room"});
    bytes -= entry->bytes;
  }
  return list;
}

}  // namespace

std::string cache_list(const CacheWords& words) {
  const Entries entries = entries_of(words);
  std::string text;
  if (!entries.empty()) text = row("key", "program", "arch", "compiler", "kernels", "registers", "bytes", "age");
  for (const CachedEntry& entry : entries) text += row_of(entry) + (words.kernels ? kernels_of(entry) : "");
  return text + fmt::format("{} in {}\n", total_of(entries), place_of(words));
}

bool cache_verify(const CacheWords& words) {
  const Entries entries = entries_of(words);
  std::size_t bad = 0;
  for (const CachedEntry& entry : entries) {
    if (entry.binary) continue;
    ++bad;
    fmt::print("BAD {}: {}\n", entry.name, entry.fault);
  }
  fmt::print("{} in {}: {}\n", total_of(entries), place_of(words),
             bad == 0   ? "all verify"
             : bad == 1 ? "1 does not verify; it counts as absent, and is compiled again"
                        : fmt::format("{} do not verify; they count as absent, and are compiled again", bad));
  return bad == 0;
}

std::string cache_prune(const PruneWords& words) {
  check(words);
  const Entries entries = jit::cached_entries();
  std::string text;
  std::uint64_t bytes = 0;
  std::size_t removed = 0, kept = 0;
  for (const Removal& removal : removals(entries, words)) {
    const std::string fault = words.dry_run ? "" : jit::remove_cached(*removal.entry);
    text += fmt::format("{} {}: {}\n", fault.empty() ? (words.dry_run ? "would go" : "removed") : "KEPT",
                        removal.entry->name, fault.empty() ? removal.reason : fault);
    ++(fault.empty() ? removed : kept);
    if (fault.empty()) bytes += removal.entry->bytes;
  }
  if (kept)
    throw Error(ErrorKind::unavailable,
                text + fmt::format("{} could not be removed", kept == 1 ? "1 entry" : fmt::format("{} entries", kept)));
  return text + fmt::format("{} of {} {} {}, {} bytes, in {}\n", removed, entries.size(),
                            entries.size() == 1 ? "entry" : "entries", words.dry_run ? "would go" : "removed",
                            grouped(static_cast<std::int64_t>(bytes)), jit::cache_status().folder);
}

}  // namespace ropeline::tools
