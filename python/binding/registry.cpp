#include "registry.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "error.h"

namespace ropeline::binding {
namespace {

using Plans = std::unordered_map<std::int64_t, Plan>;

// Readers use an immutable map; a writer publishes a larger copy. Replaced maps stay alive, because a reader may still
// be in one: a process has a handful of specs, so that is a handful of small maps. All of it is leaked on purpose, so
// that an op that runs while the process exits finds its plan.
struct Registry {
  std::mutex writers;
  std::vector<std::unique_ptr<const Plans>> versions;
  std::atomic<const Plans*> current = nullptr;
};

Registry& registry() {
  static auto* only = new Registry;
  return *only;
}

const Plan* find(std::int64_t id) {
  const Plans* plans = registry().current.load(std::memory_order_acquire);
  if (!plans) return nullptr;
  const auto entry = plans->find(id);
  return entry == plans->end() ? nullptr : &entry->second;
}

void publish(std::int64_t id, Plan plan) {
  Registry& all = registry();
  const std::lock_guard lock(all.writers);
  const Plans* before = all.current.load(std::memory_order_relaxed);
  auto next = std::make_unique<Plans>(before ? *before : Plans());
  next->emplace(id, std::move(plan));
  all.current.store(next.get(), std::memory_order_release);
  all.versions.push_back(std::move(next));
}

}  // namespace

std::int64_t register_spec(const Spec& spec) {
  const std::int64_t id = spec.id();
  const Plan* known = find(id);
  if (!known) publish(id, prepare(spec, Device::cpu()));
  if (known && !(known->spec() == spec))
    throw Error(ErrorKind::internal,
                text("spec: two specs share the id ", id, ": ", known->spec().json(), " and ", spec.json()));
  return id;
}

const Plan& plan_of(std::int64_t id) {
  const Plan* plan = find(id);
  require(plan != nullptr, "spec: ", id,
          " is not registered in this process; ropeline.Spec.from_json(text).id registers it");
  return *plan;
}

}  // namespace ropeline::binding
