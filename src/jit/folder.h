#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "ropeline/jit.h"

namespace ropeline::jit {

/// A descriptor that closes itself.
class File {
 public:
  explicit File(int descriptor = -1) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept { return std::swap(descriptor_, other.descriptor_), *this; }
  ~File();
  explicit operator bool() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// The content from offset to the end, or `size` bytes of it; nothing when it cannot be read in full.
std::optional<std::string> read_all(const File& file);
std::optional<std::string> read_part(const File& file, std::uint64_t offset, std::uint64_t size);

/// A folder of entries, held open: what is read and written lies in the folder that was checked, whatever its path
/// means by now.
class Folder {
 public:
  /// Opens the private cache folder, and makes it when it is absent. Checked through the open handle: its owner is this
  /// user or root, nobody else may write to it, and the path's last part is no link.
  static Folder open_private(const std::string& path);

  /// Opens a folder that the user listed as a read-only root: any owner, but not writable by everybody.
  static Folder open_read_only(const std::string& path);

  /// No folder at all, and why.
  static Folder absent(const std::string& reason);

  /// What `read` has: the content, or why a file that is there is not taken. Neither when it is absent.
  struct Content {
    std::optional<std::string> bytes = {};
    std::string refusal = {};  ///< "cannot be read: Permission denied"
  };
  Content read(const std::string& name) const;

  /// Of the files that are made in it: who may look into the folder may read them. 0600 up to 0644.
  mode_t mode_of_entries() const { return mode_; }

  const CacheStatus& status() const { return status_; }
  const std::string& path() const { return status_.folder; }
  int handle() const { return handle_.get(); }

 private:
  explicit Folder(const std::string& path) { status_.folder = path; }
  bool open(int extra_flags);
  void refuse(const std::string& reason);

  File handle_;
  CacheStatus status_;
  bool any_owner_ = false;
  mode_t mode_ = 0600;
};

}  // namespace ropeline::jit
