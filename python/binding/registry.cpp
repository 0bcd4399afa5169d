#include "registry.h"

#include <compare>

#include "cuda/context.h"
#include "error.h"
#include "ropeline/once.h"
#include "stream.h"

namespace ropeline::binding {
namespace {

constexpr int on_cpu = -1;

struct Key {
  std::int64_t id;
  int device;  // a CUDA device, or on_cpu
  auto operator<=>(const Key&) const = default;
};

// An id is a digest: its bits are mixed already.
struct Hash {
  std::size_t operator()(const Key& key) const { return static_cast<std::size_t>(key.id + key.device); }
};

using Plans = jit::Once<Key, Plan, Hash>;

// Leaked on purpose, so that an op that runs while the process exits finds its plan.
Plans& plans() {
  static auto* const only = new Plans;
  return *only;
}

Key key_of(std::int64_t id, Device device) { return {id, device.kind == Device::Kind::cuda ? device.index : on_cpu}; }

void refuse_while_capturing(std::int64_t id, Device device) {
  const cuda::CurrentDevice current(device.index);
  if (!cuda::is_capturing(current_stream(device.index))) return;
  throw Error(ErrorKind::unavailable,
              text("spec: ", id, " is not prepared for ", to_string(device),
                   ", which a stream that is being captured into a graph does not allow; call the op once before the "
                   "capture, or ropeline.prepare(spec, \"",
                   to_string(device), "\")"));
}

}  // namespace

std::int64_t register_spec(const Spec& spec) {
  const std::int64_t id = spec.id();
  const Plan& known = plans().get({id, on_cpu}, [&] { return prepare(spec, Device::cpu()); });
  if (!(known.spec() == spec))
    throw Error(ErrorKind::internal,
                text("spec: two specs share the id ", id, ": ", known.spec().json(), " and ", spec.json()));
  return id;
}

const Spec& spec_of(std::int64_t id) {
  const Plan* plan = plans().find({id, on_cpu});
  require(plan != nullptr, "spec: ", id,
          " is not registered in this process; ropeline.Spec.from_json(text).id registers it");
  return plan->spec();
}

const Plan& prepared(std::int64_t id, Device device) {
  const Spec& spec = spec_of(id);
  return plans().get(key_of(id, device), [&] { return prepare(spec, device); });
}

const Plan& plan_of(std::int64_t id, Device device) {
  if (const Plan* plan = plans().find(key_of(id, device))) return *plan;
  spec_of(id);  // an unknown one is said first
  if (device.kind == Device::Kind::cuda) refuse_while_capturing(id, device);
  return prepared(id, device);
}

}  // namespace ropeline::binding
