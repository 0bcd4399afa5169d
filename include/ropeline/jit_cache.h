#pragma once

/// Looking after a cache of compiled kernels: what is in it, whether it is whole, why a program is not found. The
/// program `ropeline cache` is made of this. Reading and compiling are in jit.h.

#include <array>
#include <chrono>

#include "ropeline/jit.h"

namespace ropeline::jit {

/// An entry of a cache folder or of a pack.
struct CachedEntry {
  std::string name;                                    ///< of the file in the folder: "<key>.rlj"; in a pack, the key
  std::uint64_t bytes = 0;                             ///< of the entry, the key's text included
  std::chrono::system_clock::time_point written = {};  ///< of the file that holds it
  std::shared_ptr<const Binary> binary = {};           ///< null when it does not verify
  std::string fault = {};                              ///< why not
  bool damaged = false;                    ///< its bytes are at fault; false: they could not be read, or trusted
  std::array<std::uint64_t, 4> file = {};  ///< which file it was: device, inode, time; `remove_cached` compares
};

/// Every entry of this process's cache folder, verified as a look-up would, in the order of their names. Files that are
/// no entries (locks, and what others have put there) are left out. Throws Error{unavailable} when the folder is not
/// read, with the reason.
ROPELINE_API std::vector<CachedEntry> cached_entries();

/// Every entry of a pack. Throws jit::Error for a file that is no pack.
ROPELINE_API std::vector<CachedEntry> packed_entries(const std::string& path);

/// Every entry of a folder, read as those of `Config::read_only_folders` are, whether it is one of them or not. Throws
/// Error{unavailable} when it is not read, with the reason.
ROPELINE_API std::vector<CachedEntry> read_only_entries(const std::string& folder);

/// The read-only folders as they stand, in the order of their look-up.
ROPELINE_API std::vector<CacheStatus> read_only_status();

/// Removes an entry of `cached_entries`; a process that has it loaded keeps it. One that has been replaced since it was
/// listed stays. Returns why it could not be removed, or an empty text.
ROPELINE_API std::string remove_cached(const CachedEntry& entry);

/// What `build` looks for.
struct ProgramKey {
  std::string key;   ///< SHA-256 of the text, 64 hexadecimal digits
  std::string text;  ///< everything that the code depends on: lines `flag`, `append`, `compiler` and `kernel`, then
                     ///< each file as `file NAME SIZE`, its content and a line feed; the program is the first
};
ROPELINE_API ProgramKey key_of(const Source& source, const Options& options = {});

}  // namespace ropeline::jit
