#include "conformance/suite.h"

#include <cstdlib>
#include <string_view>

#include "conformance/difference.h"
#include "conformance/random.h"
#include "reference/reference.h"

namespace ropeline::conformance {
namespace {

bool is_in_share(const Spec& spec, unsigned share) {
  if (share == 1 || full_sweep()) return true;
  Random of_spec(run_seed());
  for (const char c : spec.json()) of_spec = Random(of_spec.bits() ^ static_cast<unsigned char>(c));
  return of_spec.bits() % share == 0;
}

Recipe as_wanted(const Backend& backend, Recipe recipe) {
  const bool open = recipe.layout == Layout::dense && recipe.in_place && recipe.batches == 0;
  if (backend.wants_packed && open) recipe.layout = Layout::packed;
  return recipe;
}

}  // namespace

Call run(const Backend& backend, Call call) {
  backend.run(call.spec, call.args, call.memory);
  return call;
}

Call run_reference(Call call) {
  reference::run(call.spec, call.args);
  return call;
}

testing::AssertionResult conforms(const Backend& backend, const Recipe& recipe) {
  const Call call = make(as_wanted(backend, recipe));
  const std::string text = difference(run_reference(call), run(backend, call));
  if (text.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << backend.name << ": " << text << "\n  ROPELINE_SEED=" << run_seed();
}

testing::AssertionResult conforms_in_sweep(const Backend& backend, const Recipe& recipe) {
  if (!is_in_share(recipe.spec, backend.sweep_share)) return testing::AssertionSuccess();
  return conforms(backend, recipe);
}

bool full_sweep() {
  const char* value = std::getenv("ROPELINE_FULL");
  return value && std::string_view(value) != "0";
}

}  // namespace ropeline::conformance
