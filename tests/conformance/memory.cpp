#include "conformance/memory.h"

#include <cstring>
#include <new>

namespace ropeline::conformance {
namespace {

constexpr std::align_val_t kAlignment{64};

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t kGuard = 0;
#else
constexpr std::size_t kGuard = 128;
#endif

}  // namespace

void Memory::Free::operator()(std::byte* p) const { ::operator delete(p, kAlignment); }

Memory::Memory(const Memory& other) : poison_(other.poison_) {
  for (const Block& block : other.blocks()) std::memcpy(add(block.size), block.data, block.size);
}

std::byte* Memory::add(std::size_t size) {
  owned_.push_back({std::unique_ptr<std::byte, Free>(static_cast<std::byte*>(::operator new(size, kAlignment))), size});
  return owned_.back().data.get();
}

void* Memory::allocate(std::size_t bytes, std::size_t shift) {
  const std::size_t size = kGuard + shift + bytes + kGuard;
  std::byte* data = add(size);
  std::memset(data, static_cast<int>(poison_), size);
  return data + kGuard + shift;
}

void* Memory::translate(const Memory& from, const void* address) const {
  if (!address) return nullptr;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    const std::byte* base = from.owned_[i].data.get();
    const auto offset = static_cast<const std::byte*>(address) - base;
    if (offset >= 0 && static_cast<std::size_t>(offset) <= from.owned_[i].size) return owned_[i].data.get() + offset;
  }
  return nullptr;
}

std::vector<Memory::Block> Memory::blocks() const {
  std::vector<Block> all;
  for (const Owned& block : owned_) all.push_back({block.data.get(), block.size});
  return all;
}

}  // namespace ropeline::conformance
