#include "registry.h"

#include "device_plans.h"

namespace ropeline::binding {
namespace {

// An id is a digest: its bits are mixed already.
struct Hash {
  std::size_t operator()(std::int64_t id) const { return static_cast<std::size_t>(id); }
};

DevicePlans<std::int64_t, Plan, Hash>& plans() { return DevicePlans<std::int64_t, Plan, Hash>::all(); }

}  // namespace

std::int64_t register_spec(const Spec& spec) {
  const std::int64_t id = spec.id();
  const Plan& known = plans().get(id, Device::cpu(), [&] { return prepare(spec, Device::cpu()); });
  if (!(known.spec() == spec))
    throw Error(ErrorKind::internal,
                text("spec: two specs share the id ", id, ": ", known.spec().json(), " and ", spec.json()));
  return id;
}

const Spec& spec_of(std::int64_t id) {
  const Plan* plan = plans().find(id, Device::cpu());
  require(plan != nullptr, "spec: ", id,
          " is not registered in this process; ropeline.Spec.from_json(text).id registers it");
  return plan->spec();
}

const Plan& prepared(std::int64_t id, Device device) {
  const Spec& spec = spec_of(id);
  return plans().get(id, device, [&] { return prepare(spec, device); });
}

const Plan& plan_of(std::int64_t id, Device device) {
  if (const Plan* plan = plans().find(id, device)) return *plan;
  spec_of(id);  // an unknown one is said first
  refuse_while_capturing(device, text("spec: ", id), text("ropeline.prepare(spec, \"", to_string(device), "\")"));
  return prepared(id, device);
}

}  // namespace ropeline::binding
