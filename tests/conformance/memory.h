#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace ropeline::conformance {

/// The blocks that the tensors of one call lie in. Every byte starts as poison, and copies are deep, so that two runs
/// of one call can be compared byte by byte, gaps and guards included.
class Memory {
 public:
  explicit Memory(std::byte poison) : poison_(poison) {}
  Memory(const Memory& other);
  Memory(Memory&&) = default;
  Memory& operator=(Memory&&) = default;

  /// A block at a multiple of 64 bytes plus `shift`, between two guards (none under AddressSanitizer, which watches
  /// the bounds itself).
  void* allocate(std::size_t bytes, std::size_t shift = 0);

  /// The place in this copy that `address` has in the memory it was copied from. Null stays null.
  void* translate(const Memory& from, const void* address) const;

  /// Every block whole, guards included.
  struct Block {
    std::byte* data;
    std::size_t size;
  };
  std::vector<Block> blocks() const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  struct Owned {
    std::unique_ptr<std::byte, Free> data;
    std::size_t size;
  };
  std::byte* add(std::size_t size);

  std::byte poison_;
  std::vector<Owned> owned_;
};

}  // namespace ropeline::conformance
