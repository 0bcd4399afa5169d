#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ropeline::tools {

/// The words of `ropeline cache list` and `verify`: the cache folder, another folder, or a pack.
struct CacheWords {
  std::string folder, pack;
  bool kernels = false;  ///< list: a line for each kernel too
};

/// A table of the entries.
std::string cache_list(const CacheWords& words);

/// Prints the entries that do not verify and a last line that counts. True when all do.
bool cache_verify(const CacheWords& words);

/// The words of `ropeline cache prune`. At least one says what is to go.
struct PruneWords {
  std::optional<std::uint64_t> size;  ///< the oldest, until the rest has so many bytes
  std::optional<std::uint64_t> age;   ///< what is older, in seconds
  std::string compiler;               ///< what it compiled: "12.8" or "13.0.88"
  bool damaged = false;               ///< what does not verify
  bool dry_run = false;
};

/// Removes entries of the cache folder, and returns a line for each and one that counts. Locks and files that are no
/// entries stay. Throws Error{invalid_argument} when the words name nothing.
std::string cache_prune(const PruneWords& words);

}  // namespace ropeline::tools
