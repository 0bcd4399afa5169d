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

// Under the name of its key: whoever looks for that key would be told the same.
void verify(CachedEntry& entry, const std::optional<std::string>& bytes) {
  if (!bytes) return void(entry.fault = "cannot be read, or others may write to it");
  entry.bytes = bytes->size();
  Parsed parsed = parse_entry(*bytes);
  if (parsed.binary && parsed.binary->key != entry.name.substr(0, kDigits)) parsed = {nullptr, "holds another key"};
  entry.binary = std::move(parsed.binary);
  entry.fault = std::move(parsed.reason);
}

[[noreturn]] void refuse(const Folder& folder) {
  const std::string where = folder.path().empty() ? "" : folder.path() + " ";
  throw Error(ErrorKind::unavailable,
              {Stage::cache, text("cache folder: ", where, folder.status().reason), {}, {}, {}});
}

}  // namespace

std::vector<CachedEntry> cached_entries() {
  const auto held = runtime();
  const Folder& folder = held->cache();
  if (!folder.status().readable) refuse(folder);
  std::vector<CachedEntry> entries;
  for (const std::string& name : entry_names(folder)) {
    struct stat facts;
    if (fstatat(folder.handle(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;  // removed meanwhile
    entries.push_back({name, static_cast<std::uint64_t>(facts.st_size), time_of(facts), {}, {}});
    verify(entries.back(), folder.read(name));
  }
  return entries;
}

std::vector<CachedEntry> packed_entries(const std::string& path) {
  const Pack pack(path);
  struct stat facts {};
  stat(path.c_str(), &facts);
  std::vector<CachedEntry> entries;
  for (const Digest& key : pack.keys()) {
    entries.push_back({hex(key), 0, time_of(facts), {}, {}});
    verify(entries.back(), pack.read(key));
  }
  return entries;
}

std::vector<CacheStatus> read_only_status() {
  std::vector<CacheStatus> list;
  for (const Folder& folder : runtime()->read_only()) list.push_back(folder.status());
  return list;
}

std::string remove_cached(const std::string& name) {
  if (!is_entry(name)) return "is not the name of an entry";
  const auto held = runtime();
  if (!held->cache().status().writable) return held->cache().status().reason;
  return unlinkat(held->cache().handle(), name.c_str(), 0) == 0 ? "" : std::strerror(errno);
}

}  // namespace ropeline::jit
