#include "folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "error.h"

namespace ropeline::jit {
namespace {

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();  // "link/" would be followed
  return path;
}

// mkdir -p, private from the first made folder on. Errors show when the folder is opened.
void make_folders(const std::filesystem::path& path) {
  if (path.empty() || mkdir(path.c_str(), 0700) == 0 || errno != ENOENT) return;
  make_folders(path.parent_path());
  mkdir(path.c_str(), 0700);
}

bool is_link(const std::string& path) {
  struct stat facts;
  return lstat(path.c_str(), &facts) == 0 && S_ISLNK(facts.st_mode);
}

bool is_ours(const struct stat& facts) { return facts.st_uid == geteuid() || facts.st_uid == 0; }

std::string octal(mode_t mode) {
  char digits[8];
  std::snprintf(digits, sizeof digits, "%04o", static_cast<unsigned>(mode & 07777));
  return digits;
}

}  // namespace

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<std::string> read_part(const File& file, std::uint64_t offset, std::uint64_t size) {
  std::string content(size, '\0');
  for (std::uint64_t done = 0; done < size;) {
    const ssize_t n = pread(file.get(), content.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    done += static_cast<std::uint64_t>(n);
  }
  return content;
}

std::optional<std::string> read_all(const File& file) {
  struct stat facts;
  if (fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  return read_part(file, 0, static_cast<std::uint64_t>(facts.st_size));
}

bool Folder::open(int extra_flags) {
  handle_ = File(::open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra_flags));
  const int error = errno;
  if (!handle_)
    refuse(is_link(path()) && (extra_flags & O_NOFOLLOW) ? "is a link"
                                                         : text("cannot be opened: ", std::strerror(error)));
  return static_cast<bool>(handle_);
}

void Folder::refuse(const std::string& reason) {
  status_ = {path(), false, false, reason};
  handle_ = File();
}

Folder Folder::open_private(const std::string& given) {
  const std::string path = without_trailing_slashes(given);
  make_folders(path);
  Folder folder(path);
  struct stat facts;
  if (!folder.open(O_NOFOLLOW)) return folder;
  if (fstat(folder.handle(), &facts) != 0) return folder.refuse(std::strerror(errno)), std::move(folder);
  for (const auto& [look, read] : {std::pair{S_IRGRP | S_IXGRP, S_IRGRP}, {S_IROTH | S_IXOTH, S_IROTH}})
    if ((facts.st_mode & look) == static_cast<mode_t>(look)) folder.mode_ |= read;
  if (!is_ours(facts))
    folder.refuse(text("belongs to user ", facts.st_uid, ", neither to this user (", geteuid(), ") nor to root"));
  else if (facts.st_mode & (S_IWGRP | S_IWOTH))
    folder.refuse(text("is writable by others (mode ", octal(facts.st_mode), "); chmod go-w it"));
  else
    folder.status_.readable = true;
  if (!folder.status_.readable) return folder;
  folder.status_.writable = faccessat(folder.handle(), ".", W_OK, AT_EACCESS) == 0;
  if (!folder.status_.writable) folder.status_.reason = text("is read-only: ", std::strerror(errno));
  return folder;
}

Folder Folder::open_read_only(const std::string& given) {
  Folder folder(without_trailing_slashes(given));
  struct stat facts;
  if (!folder.open(0)) return folder;
  folder.any_owner_ = true;
  folder.status_.readable = true;
  folder.status_.reason = "is listed as read-only";
  if (fstat(folder.handle(), &facts) != 0 || (facts.st_mode & S_IWOTH))
    folder.refuse(text("is writable by everybody (mode ", octal(facts.st_mode), ")"));
  return folder;
}

Folder Folder::absent(const std::string& reason) {
  Folder folder("");
  folder.refuse(reason);
  return folder;
}

Folder::Content Folder::read(const std::string& name) const {
  if (!status_.readable) return {};
  const File file(openat(handle(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return {};
  struct stat facts;
  if (!file || fstat(file.get(), &facts) != 0) return {{}, text("cannot be read: ", std::strerror(errno))};
  if (!S_ISREG(facts.st_mode)) return {{}, "is no file"};
  if (!any_owner_ && !is_ours(facts)) return {{}, text("belongs to user ", facts.st_uid)};
  if (facts.st_mode & (any_owner_ ? S_IWOTH : S_IWGRP | S_IWOTH))
    return {{}, text("is writable by others (mode ", octal(facts.st_mode), ")")};
  if (std::optional<std::string> bytes = read_all(file)) return {std::move(bytes)};
  return {{}, "cannot be read in full"};
}

}  // namespace ropeline::jit
