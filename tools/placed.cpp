#include "tools/placed.h"

#include <cstddef>

namespace ropeline::tools {
namespace {

// From the first byte of a view to behind its last one. Strides are not negative.
std::size_t bytes_of(const TensorView& view) {
  std::int64_t last = 0;
  for (int i = 0; i < view.rank; ++i) last += (view.shape[i] - 1) * view.strides[i];
  return view.elements() ? static_cast<std::size_t>(last + 1) * size_of(view.dtype) : 0;
}

}  // namespace

DeviceTensors::DeviceTensors(Device device) : device_(device) {
  if (device.kind == Device::Kind::cuda) pulse_.emplace(1, device.index);
}

TensorView DeviceTensors::place(const TensorView& host, bool written) {
  if (!host || device_.kind == Device::Kind::cpu) return host;
  DeviceMemory memory(bytes_of(host), device_.index);
  memory.upload(host.data);
  const Copy& copy = copies_.emplace_back(Copy{std::move(memory), host.data, written});
  TensorView view = host;
  view.data = copy.memory.data();
  view.device = device_;
  return view;
}

// Even the smallest copy waits for the default stream.
void DeviceTensors::wait() const {
  char byte;
  if (pulse_) pulse_->download(&byte);
}

void DeviceTensors::fetch() const {
  for (const Copy& copy : copies_)
    if (copy.written) copy.memory.download(copy.host);
}

template <>
TensorFields<Args> tensor_fields<Args>() {
  return {.read = {&Args::q, &Args::k, &Args::v, &Args::q_weight, &Args::k_weight, &Args::v_weight, &Args::q_bias,
                   &Args::k_bias, &Args::v_bias, &Args::q_scale, &Args::k_scale, &Args::v_scale, &Args::positions,
                   &Args::cos_sin_cache, &Args::cos, &Args::sin},
          .written = {&Args::q_out, &Args::k_out, &Args::v_out}};
}

}  // namespace ropeline::tools
