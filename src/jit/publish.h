#pragma once

#include <chrono>
#include <string>

#include "folder.h"

namespace ropeline::jit {

/// Puts a file into a folder so that readers see all of it or nothing: a temporary file beside it, flushed, renamed.
/// Replaces a file of that name. Returns why it could not, or an empty text; then nothing is left behind. Temporary
/// files of killed processes are removed on the way: a writer holds a lock on its own, which ends with it.
std::string publish(int folder, const std::string& name, std::string_view bytes);

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
