#include "execute.h"

void ropeline::binding::execute(const Plan& plan, const Args& args) { plan.run(args); }
