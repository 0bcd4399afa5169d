#include "pack.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bytes.h"
#include "entry.h"
#include "error.h"
#include "publish.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kMagic{"ropeline pack 1\n", 16};
constexpr std::size_t kHead = kMagic.size() + 8, kRow = sizeof(Digest) + 16;

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw Error(ErrorKind::unavailable, {Stage::cache, text("pack ", path, ": ", reason), {}, {}, {}});
}

std::string_view as_text(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

using Entries = std::map<Digest, std::string>;

std::string pack_bytes(const Entries& entries) {
  Writer out;
  out.raw(kMagic);
  out.number<std::uint64_t>(entries.size());
  std::uint64_t offset = kHead + kRow * entries.size() + sizeof(Digest);
  for (const auto& [key, bytes] : entries) {
    out.raw(as_text(key));
    out.number<std::uint64_t>(offset);
    out.number<std::uint64_t>(bytes.size());
    offset += bytes.size();
  }
  std::string pack = out.take();
  pack += as_text(sha256(pack));
  for (const auto& [key, bytes] : entries) pack += bytes;
  return pack;
}

// As any other file of this user: a pack is to be read by whom the umask lets read.
mode_t mode_of_new_files() {
  std::ifstream status("/proc/self/status");  // umask() itself would have to change it, under the other threads' feet
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Umask:")) return 0666 & ~static_cast<mode_t>(std::strtoul(line.c_str() + 6, nullptr, 8));
  return 0644;
}

// The index with its digest, read and verified.
std::string read_index(const File& file, const std::string& path) {
  const std::optional<std::string> head = read_part(file, 0, kHead);
  if (!head || !head->starts_with(kMagic)) refuse(path, "is not a pack of this format");
  Reader count(std::string_view(*head).substr(kMagic.size()));
  const auto entries = count.number<std::uint64_t>();
  if (entries > (1u << 20)) refuse(path, text("claims ", entries, " entries"));
  const std::size_t size = kHead + kRow * entries;
  const std::optional<std::string> index = read_part(file, 0, size + sizeof(Digest));
  if (!index) refuse(path, "is truncated");
  if (index->substr(size) != as_text(sha256(std::string_view(*index).substr(0, size))))
    refuse(path, "has a damaged index");
  return index->substr(kHead, size - kHead);
}

}  // namespace

Pack::Pack(const std::string& path) : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!file_) refuse(path, std::strerror(errno));
  const std::string index = read_index(file_, path);
  for (Reader in(index); !in.at_end();) {
    Digest key;
    std::memcpy(key.data(), in.raw(key.size()).data(), key.size());
    const auto offset = in.number<std::uint64_t>();
    index_[key] = {offset, in.number<std::uint64_t>()};
  }
}

std::optional<std::string> Pack::read(const Digest& key) const {
  const auto place = index_.find(key);
  if (place == index_.end()) return std::nullopt;
  return read_part(file_, place->second.offset, place->second.size);
}

std::vector<Digest> Pack::keys() const {
  std::vector<Digest> keys;
  for (const auto& [key, place] : index_) keys.push_back(key);
  return keys;
}

void write_pack(const std::string& path, const std::vector<std::shared_ptr<const Binary>>& binaries) {
  Entries entries;
  for (const auto& binary : binaries) entries[sha256(binary->key_text)] = entry_bytes(*binary);
  const std::filesystem::path target = std::filesystem::absolute(path);
  const File folder(open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) refuse(path, text("its folder: ", std::strerror(errno)));
  const std::string reason = publish(folder.get(), target.filename(), pack_bytes(entries), mode_of_new_files());
  if (!reason.empty()) refuse(path, reason);
}

}  // namespace ropeline::jit
