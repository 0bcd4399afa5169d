#pragma once

#include <cstddef>
#include <string>

namespace ropeline::tools {

/// A bar on the terminal, below the lines that are printed meanwhile. Nothing when standard error is no terminal.
class Progress {
 public:
  explicit Progress(std::size_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// One more is done; `line` goes to standard output.
  void done(const std::string& line);

 private:
  void draw() const;
  void clear() const;

  std::size_t total_, done_ = 0;
  bool terminal_;
};

/// 1234567 -> "1,234,567"
std::string grouped(std::int64_t n);

}  // namespace ropeline::tools
