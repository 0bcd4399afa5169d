#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ropeline::tools {

/// The text of a key (ropeline/jit_cache.h), taken apart.
struct KeyParts {
  std::vector<std::string> flags;    ///< lines without a kernel or file: "flag -arch=sm_90", "compiler 13.0.88"
  std::vector<std::string> kernels;  ///< name expressions
  std::vector<std::pair<std::string, std::string>> files;  ///< name and content; the program is the first

  /// The name of the program: "qk_norm_rope.cu".
  std::string program() const { return files.empty() ? "?" : files.front().first; }
};

KeyParts key_parts(std::string_view text);

/// What two keys differ by, a line each, short; `theirs` and `ours` are what the two are called.
std::vector<std::string> difference(const KeyParts& a, const std::string& theirs, const KeyParts& b,
                                    const std::string& ours);

/// How much they differ: 0 for equal ones, else the more, the less they have in common.
std::size_t distance(const KeyParts& a, const KeyParts& b);

}  // namespace ropeline::tools
