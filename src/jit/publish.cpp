#include "publish.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "error.h"
#include "fault.h"

namespace ropeline::jit {
namespace {

constexpr std::string_view kPrefix = ".writing-";

std::string temporary_name() {
  static std::atomic<unsigned> count = 0;
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return text(kPrefix, getpid(), "-", count++, "-", std::hex, now);
}

// ".writing-", then three numbers: of a process, of its files, and a time in hexadecimal digits.
bool is_temporary(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  return std::ranges::count(name, '-') == 2 && name.find_first_not_of("0123456789abcdef-") == name.npos;
}

bool try_lock(int file) {
  int result;
  do result = flock(file, LOCK_EX | LOCK_NB);
  while (result != 0 && errno == EINTR);
  return result == 0;
}

// Whoever wrote it is gone when its lock can be had.
void remove_if_abandoned(int folder, const char* name) {
  const File file(openat(folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  if (file && try_lock(file.get())) unlinkat(folder, name, 0);
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// Two halves, so that a kill between them leaves a torn temporary file.
bool write_and_flush(int file, std::string_view bytes) {
  if (!write_all(file, bytes.substr(0, bytes.size() / 2))) return false;
  fault_point("half-written");
  if (!write_all(file, bytes.substr(bytes.size() / 2))) return false;
  fault_point("written");
  return fsync(file) == 0;
}

std::string failed(int folder, const std::string& temporary, const char* step) {
  const int error = errno;
  unlinkat(folder, temporary.c_str(), 0);
  return text("cannot ", step, ": ", std::strerror(error));
}

}  // namespace

void sweep(int folder) {
  const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);  // a listing has a position of its own
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(copy >= 0 ? fdopendir(copy) : nullptr, closedir);
  if (!listing) return;
  while (const dirent* entry = readdir(listing.get()))
    if (is_temporary(entry->d_name)) remove_if_abandoned(folder, entry->d_name);
}

std::string publish(int folder, const std::string& name, std::string_view bytes, mode_t mode) {
  const std::string temporary = temporary_name();
  const File file(openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return text("cannot create a file: ", std::strerror(errno));
  try_lock(file.get());
  fault_point("created");
  if (!write_and_flush(file.get(), bytes)) return failed(folder, temporary, "write");
  fault_point("flushed");
  if (fchmod(file.get(), mode) != 0) return failed(folder, temporary, "give it its mode");
  // The name itself is not flushed: a power cut may lose the entry, never tear it.
  if (renameat(folder, temporary.c_str(), folder, name.c_str()) != 0) return failed(folder, temporary, "rename");
  fault_point("renamed");
  return {};
}

ProcessLock::ProcessLock(const Folder& folder, const std::string& key, std::chrono::milliseconds limit) {
  if (!folder.status().writable) return;
  const std::string name = ".lock-" + key.substr(0, 2);
  file_ = File(openat(folder.handle(), name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (file_ && !try_lock(file_.get())) {
    if (errno != EWOULDBLOCK) return;
    if (std::chrono::steady_clock::now() >= deadline) {
      state_ = State::timed_out;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (file_) state_ = State::held;
}

// Unlocked by name: a forked child may hold a copy of the descriptor.
ProcessLock::~ProcessLock() {
  if (state_ == State::held) flock(file_.get(), LOCK_UN);
}

}  // namespace ropeline::jit
