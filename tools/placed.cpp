#include "tools/placed.h"

#include <array>
#include <cstddef>

namespace ropeline::tools {
namespace {

constexpr std::array kInputs = {
    &Args::q,        &Args::k,       &Args::v,         &Args::q_weight,      &Args::k_weight,
    &Args::v_weight, &Args::q_bias,  &Args::k_bias,    &Args::v_bias,        &Args::q_scale,
    &Args::k_scale,  &Args::v_scale, &Args::positions, &Args::cos_sin_cache, &Args::cos,
    &Args::sin};
constexpr std::array kOutputs = {&Args::q_out, &Args::k_out, &Args::v_out};

// From the first byte of a view to behind its last one. Strides are not negative.
std::size_t bytes_of(const TensorView& view) {
  std::int64_t last = 0;
  for (int i = 0; i < view.rank; ++i) last += (view.shape[i] - 1) * view.strides[i];
  return view.elements() ? static_cast<std::size_t>(last + 1) * size_of(view.dtype) : 0;
}

}  // namespace

Placed::Placed(const Args& host, Device device) : args_(host) {
  if (device.kind == Device::Kind::cpu) return;
  const auto place = [&](TensorView& view, bool is_output) {
    if (!view) return;
    DeviceMemory memory(bytes_of(view), device.index);
    memory.upload(view.data);
    Copy& copy = copies_.emplace_back(Copy{std::move(memory), view.data, is_output});
    view.data = copy.memory.data();
    view.device = device;
  };
  for (TensorView Args::*tensor : kInputs) place(args_.*tensor, false);
  for (TensorView Args::*tensor : kOutputs) place(args_.*tensor, true);
  pulse_.emplace(1, device.index);
}

// Even the smallest copy waits for the default stream.
void Placed::wait() const {
  char byte;
  if (pulse_) pulse_->download(&byte);
}

void Placed::fetch() const {
  for (const Copy& copy : copies_)
    if (copy.is_output) copy.memory.download(copy.host);
}

}  // namespace ropeline::tools
