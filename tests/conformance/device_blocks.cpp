#include "conformance/device_blocks.h"

#include <cstring>

#include "conformance/call.h"

namespace ropeline::conformance {
namespace {

// Blocks keep the alignment that they have on the host.
std::vector<std::size_t> offsets_of(const std::vector<Memory::Block>& blocks) {
  std::vector<std::size_t> offsets = {0};
  for (const Memory::Block& block : blocks) offsets.push_back((offsets.back() + block.size + 255) / 256 * 256);
  return offsets;
}

}  // namespace

DeviceBlocks::DeviceBlocks(const Memory& host, Device device)
    : device_(device), host_(host.blocks()), offsets_(offsets_of(host_)), memory_(offsets_.back(), device.index) {
  upload(host);
}

Args DeviceBlocks::args(Args args) const {
  for (TensorView* view : views(args)) *view = this->view(*view);
  return args;
}

TensorView DeviceBlocks::view(TensorView view) const {
  if (view) view.device = device_, view.data = translated(view.data);
  return view;
}

void DeviceBlocks::upload(const Memory& host) {
  std::vector<std::byte> all(memory_.bytes());
  const auto from = host.blocks();
  for (std::size_t i = 0; i < from.size(); ++i) std::memcpy(all.data() + offsets_[i], from[i].data, from[i].size);
  memory_.upload(all.data());
}

void DeviceBlocks::download(const Memory& host) const {
  std::vector<std::byte> all(memory_.bytes());
  memory_.download(all.data());
  const auto to = host.blocks();
  for (std::size_t i = 0; i < to.size(); ++i) std::memcpy(to[i].data, all.data() + offsets_[i], to[i].size);
}

void* DeviceBlocks::translated(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  for (std::size_t i = 0; i < host_.size(); ++i)
    if (at >= host_[i].data && at <= host_[i].data + host_[i].size)
      return static_cast<std::byte*>(memory_.data()) + offsets_[i] + (at - host_[i].data);
  return nullptr;
}

}  // namespace ropeline::conformance
