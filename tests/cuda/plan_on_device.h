#pragma once

// What the tests of plans on real devices share: a spec, calls of it with what the reference makes of them, and the
// device, without which a test says that it was not run.

#include "conformance/device_blocks.h"
#include "conformance/difference.h"
#include "conformance/recipe.h"
#include "cuda/context.h"
#include "reference/reference.h"
#include "tests/jit/setting.h"

namespace ropeline {

class PlanOnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string reason = cuda::obstacle(0); !reason.empty()) ROPELINE_NOT_RUN("no CUDA device: " + reason);
    jit::configure(jit::test_config());
    ROPELINE_NEEDS_COMPILER();
    cuda::make_current();
  }

  static Spec spec_of(int q = 8, int k = 2) {
    return qk_norm_rope({q, k, 128}, RmsNorm{}, Rope::neox(Frequencies::theta(1e6, 128)));
  }

  static conformance::Call call_of(std::uint64_t seed, std::int64_t tokens = 33) {
    conformance::Recipe recipe{.spec = spec_of()};
    recipe.tokens = tokens;
    recipe.layout = conformance::Layout::packed;
    recipe.positions = conformance::Positions::far;
    recipe.seed = seed;
    return conformance::make(recipe);
  }

  static conformance::Call done_by_reference(conformance::Call call) {
    reference::run(call.spec, call.args);
    return call;
  }
};

}  // namespace ropeline
