// The other definition of `execute`: the same checks, then the scalar reference instead of a backend.

#include "error.h"
#include "execute.h"
#include "reference/reference.h"

void ropeline::binding::execute(const Plan& plan, const Args& args) {
  require(plan.device().kind == Device::Kind::cpu, "reference: it runs on a CPU, not on ", to_string(plan.device()));
  plan.check(args);
  reference::run(plan.spec(), args);
}
