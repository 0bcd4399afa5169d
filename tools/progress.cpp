#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace ropeline::tools {

constexpr std::size_t kWidth = 40;

Progress::Progress(std::size_t total) : total_(total), terminal_(isatty(STDERR_FILENO)) { draw(); }

Progress::~Progress() { clear(); }

void Progress::done(const std::string& line) {
  clear();
  ++done_;
  fmt::print("{}\n", line);
  std::fflush(stdout);
  draw();
}

void Progress::draw() const {
  if (!terminal_ || total_ == 0) return;
  const std::size_t full = kWidth * done_ / total_;
  fmt::print(stderr, "[{:#<{}}{: <{}}] {} of {}", "", full, "", kWidth - full, done_, total_);
  std::fflush(stderr);
}

void Progress::clear() const {
  if (terminal_) fmt::print(stderr, "\r\033[K");
}

std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  for (auto at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

}  // namespace ropeline::tools
