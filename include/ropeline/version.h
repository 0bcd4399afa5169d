#pragma once

#include "ropeline/export.h"

namespace ropeline {

/// "0.1.0"
ROPELINE_API const char* version() noexcept;

}  // namespace ropeline
