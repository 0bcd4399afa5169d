#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "digest.h"
#include "folder.h"

namespace ropeline::jit {

/// Many entries in one file:
///   16 bytes magic, count as u64, for each entry its key's digest, offset and size, SHA-256 of all before it, entries.
class Pack {
 public:
  /// Reads and verifies the index. Throws jit::Error with stage `cache`.
  explicit Pack(const std::string& path);

  /// The bytes of the entry of that key. They are verified by whoever parses them.
  std::optional<std::string> read(const Digest& key) const;
  std::vector<Digest> keys() const;
  const std::string& path() const { return path_; }

 private:
  struct Place {
    std::uint64_t offset, size;
  };
  std::string path_;
  File file_;
  std::map<Digest, Place> index_;
};

}  // namespace ropeline::jit
