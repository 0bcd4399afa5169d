#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ropeline/tensor.h"

namespace ropeline::tools {

/// Named tensors, as a safetensors file holds them. The views do not own their memory.
using NamedTensors = std::map<std::string, TensorView>;

/// The free text that a safetensors file carries beside its tensors.
using Metadata = std::map<std::string, std::string>;

/// A safetensors file (https://github.com/huggingface/safetensors, "Format"), mapped into memory.
///
/// The mapping is private: writing through a view changes this process's copy and never the file. Views stay valid as
/// long as one copy of this object lives. Dense, row-major, and aligned to their element, not more.
class SafeTensors {
 public:
  /// Maps the file and checks its header: every tensor lies inside the file and its bytes match its shape.
  /// Throws Error{invalid_argument} for a file that cannot be opened or is malformed, Error{unavailable} when the
  /// system refuses to map it.
  static SafeTensors read(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return path_; }
  const Metadata& metadata() const noexcept { return metadata_; }

  /// The tensors that a TensorView can express; `at` says why one of the others is missing here.
  const NamedTensors& tensors() const noexcept { return tensors_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  /// Whether the file has a tensor of that name, even one that a TensorView cannot express.
  bool mentions(const std::string& name) const { return contains(name) || unreadable_.contains(name); }

  /// Throws Error{invalid_argument} for a name that is not there, or whose dtype or rank has no counterpart here.
  const TensorView& at(const std::string& name) const;

 private:
  void add(const std::string& name, const std::string& dtype, const std::vector<std::int64_t>& shape, std::size_t begin,
           std::size_t end);

  std::filesystem::path path_;
  std::shared_ptr<std::byte> file_;
  std::size_t payload_ = 0, payload_bytes_ = 0;  // where tensor data starts, and how much of it there is
  NamedTensors tensors_;
  Metadata metadata_;
  std::map<std::string, std::string> unreadable_;  // name -> reason
};

/// Writes the tensors dense and row-major, whatever the strides of the views, so that `read` finds each aligned.
/// Throws Error{invalid_argument} for a view that is not on the CPU or a path that cannot be opened, Error{unavailable}
/// when the disk takes no more.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors, const Metadata& metadata = {});

}  // namespace ropeline::tools
