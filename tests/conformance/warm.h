#pragma once

#include <string>

#include "conformance/backend.h"

namespace ropeline::conformance {

/// ROPELINE_WARM, or an empty string.
std::string warm_architecture();

/// The one backend of such a run.
Backend warm_backend();

}  // namespace ropeline::conformance
