#pragma once

#include "bench/rows.h"
#include "cuda/driver.h"
#include "ropeline/jit.h"

namespace ropeline::bench {

/// Throws for a call of the driver that failed.
void require_success(cuda::Result result);

/// What the driver takes for each step of loading a binary, for a table's memory, and to be asked about contexts.
void driver_steps(Rows& rows, const jit::Binary& binary);

}  // namespace ropeline::bench
