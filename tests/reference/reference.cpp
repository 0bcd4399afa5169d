#include "reference/reference.h"

namespace ropeline::reference {

void run(const Spec&, const Args&) {}

}  // namespace ropeline::reference
