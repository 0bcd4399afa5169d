#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "folder.h"

namespace ropeline::jit {

/// Puts a file into a folder so that readers see all of it or nothing: a temporary file beside it, flushed, renamed.
/// Replaces a file of that name. Returns why it could not, or an empty text; then nothing is left behind.
/// `mode`: of the file, not narrowed by the umask.
std::string publish(int folder, const std::string& name, std::string_view bytes, mode_t mode);

/// Removes from a cache folder the temporary files of killed processes: a writer holds a lock on its own, which ends
/// with it. For folders that are ours alone: elsewhere, such a name may be somebody's.
void sweep(int folder);

/// An advisory lock between processes on one key of a folder. The kernel owns it, so it ends with its holder; lock
/// files are never deleted. Nothing relies on it: it saves compiling twice.
class ProcessLock {
 public:
  enum class State { held, impossible, timed_out };

  /// Waits up to `limit`. `key`: hexadecimal digits; keys that share the first two share a lock.
  ProcessLock(const Folder& folder, const std::string& key, std::chrono::milliseconds limit);
  ProcessLock(const ProcessLock&) = delete;
  ProcessLock& operator=(const ProcessLock&) = delete;
  ~ProcessLock();
  State state() const { return state_; }

 private:
  File file_;
  State state_ = State::impossible;
};

}  // namespace ropeline::jit
