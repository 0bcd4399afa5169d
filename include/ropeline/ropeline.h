#pragma once

/// Everything. Each header compiles alone and can be included by itself.

#include "ropeline/device.h"
#include "ropeline/dlpack.h"
#include "ropeline/dtype.h"
#include "ropeline/error.h"
#include "ropeline/executor.h"
#include "ropeline/frequencies.h"
#include "ropeline/kv_cast.h"
#include "ropeline/models.h"
#include "ropeline/plan.h"
#include "ropeline/plan_of.h"
#include "ropeline/spec.h"
#include "ropeline/table.h"
#include "ropeline/tensor.h"
#include "ropeline/version.h"
