#pragma once

#include <compare>
#include <string_view>
#include <utility>

#include "cuda/context.h"
#include "error.h"
#include "ropeline/device.h"
#include "ropeline/once.h"
#include "stream.h"

namespace ropeline::binding {

/// The plans of an op in this process, by what a call names them with and by device. Each is made once; finding one
/// takes no lock.
template <class Name, class Plan, class Hash>
class DevicePlans {
 public:
  /// Leaked on purpose, so that an op that runs while the process exits finds its plan.
  static DevicePlans& all() {
    static auto* const only = new DevicePlans;
    return *only;
  }

  const Plan* find(const Name& name, Device device) const { return plans_.find({name, number(device)}); }

  template <class Make>
  const Plan& get(const Name& name, Device device, Make&& make) {
    return plans_.get({name, number(device)}, std::forward<Make>(make));
  }

 private:
  struct Key {
    Name name;
    int device;
    auto operator<=>(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return Hash()(key.name) + static_cast<std::size_t>(key.device); }
  };

  // A CUDA device, or -1 for the CPU.
  static int number(Device device) { return device.kind == Device::Kind::cuda ? device.index : -1; }

  jit::Once<Key, Plan, KeyHash> plans_;
};

/// What makes a plan is refused while torch's current stream of that device is being captured. Throws
/// Error{unavailable}: `what` is not prepared, and `how` prepares it.
inline void refuse_while_capturing(Device device, std::string_view what, std::string_view how) {
  if (device.kind != Device::Kind::cuda) return;
  const cuda::CurrentDevice current(device.index);
  if (!cuda::is_capturing(current_stream(device.index))) return;
  throw Error(ErrorKind::unavailable,
              text(what, " is not prepared for ", to_string(device),
                   ", which a stream that is being captured into a graph does not allow; call the op once before the "
                   "capture, or ",
                   how));
}

}  // namespace ropeline::binding
