#include "ropeline/version.h"

const char* ropeline::version() noexcept { return ROPELINE_VERSION; }
