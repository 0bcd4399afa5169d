// What lies in a cache folder or a pack, for who looks after it.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "digest.h"
#include "entry.h"
#include "error.h"
#include "publish.h"
#include "ropeline/jit_cache.h"
#include "runtime.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kSuffix = ".rlj";
constexpr std::size_t kDigits = 2 * sizeof(Digest);

bool is_entry(std::string_view name) {
  return name.size() == kDigits + kSuffix.size() && name.ends_with(kSuffix) &&
         name.find_first_not_of("0123456789abcdef") == kDigits;
}

std::vector<std::string> entry_names(const Folder& folder) {
  const int copy = openat(folder.handle(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy >= 0 ? fdopendir(copy) : nullptr, closedir);
  std::vector<std::string> names;
  while (const dirent* entry = listing ? readdir(listing.get()) : nullptr)
    if (is_entry(entry->d_name)) names.emplace_back(entry->d_name);
  std::ranges::sort(names);
  return names;
}

std::chrono::system_clock::time_point time_of(const struct stat& facts) {
  return std::chrono::system_clock::from_time_t(facts.st_mtime);
}

std::array<std::uint64_t, 4> identity_of(const struct stat& facts) {
  return {facts.st_dev, facts.st_ino, static_cast<std::uint64_t>(facts.st_mtim.tv_sec),
          static_cast<std::uint64_t>(facts.st_mtim.tv_nsec)};
}

// Under the name of its key: whoever looks for that key would be told the same.
void verify(CachedEntry& entry, const Folder::Content& content) {
  if (!content.bytes) return void(entry.fault = content.refusal.empty() ? "is gone" : content.refusal);
  entry.bytes = content.bytes->size();
  Parsed parsed = parse_entry(*content.bytes);
  if (parsed.binary && parsed.binary->key != entry.name.substr(0, kDigits)) parsed = {nullptr, "holds another key"};
  entry.binary = std::move(parsed.binary);
  entry.fault = std::move(parsed.reason);
  entry.damaged = !entry.binary;
}

[[noreturn]] void refuse(const Folder& folder) {
  const std::string where = folder.path().empty() ? "" : folder.path() + " ";
  throw Error(ErrorKind::unavailable,
              {Stage::cache, text("cache folder: ", where, folder.status().reason), {}, {}, {}});
}

std::vector<CachedEntry> entries_of(const Folder& folder) {
  if (!folder.status().readable) refuse(folder);
  std::vector<CachedEntry> entries;
  for (const std::string& name : entry_names(folder)) {
    struct stat facts;
    if (fstatat(folder.handle(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;  // removed meanwhile
    entries.push_back({.name = name,
                       .bytes = static_cast<std::uint64_t>(facts.st_size),
                       .written = time_of(facts),
                       .file = identity_of(facts)});
    verify(entries.back(), folder.read(name));
  }
  return entries;
}

}  // namespace

std::vector<CachedEntry> cached_entries() { return entries_of(runtime()->cache()); }

std::vector<CachedEntry> read_only_entries(const std::string& path) { return entries_of(Folder::open_read_only(path)); }

std::vector<CachedEntry> packed_entries(const std::string& path) {
  const Pack pack(path);
  struct stat facts {};
  stat(path.c_str(), &facts);
  std::vector<CachedEntry> entries;
  for (const Digest& key : pack.keys()) {
    entries.push_back({.name = hex(key), .written = time_of(facts)});
    verify(entries.back(), {pack.read(key), "cannot be read in full"});
  }
  return entries;
}

std::vector<CacheStatus> read_only_status() {
  std::vector<CacheStatus> list;
  for (const Folder& folder : runtime()->read_only()) list.push_back(folder.status());
  return list;
}

std::string remove_cached(const CachedEntry& entry) {
  if (!is_entry(entry.name)) return "is not the name of an entry";
  const auto held = runtime();
  const Folder& folder = held->cache();
  if (!folder.status().writable) return folder.status().reason;
  const ProcessLock lock(folder, entry.name, std::chrono::seconds(1));  // whoever compiles the key holds it
  struct stat facts;
  if (fstatat(folder.handle(), entry.name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) return std::strerror(errno);
  if (identity_of(facts) != entry.file) return "has been replaced in the meantime";
  return unlinkat(folder.handle(), entry.name.c_str(), 0) == 0 ? "" : std::strerror(errno);
}

}  // namespace ropeline::jit
