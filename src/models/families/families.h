#pragma once

#include "models/table.h"

namespace ropeline::models {

extern const Row gemma3;
extern const Row qwen3, qwen3_moe;

}  // namespace ropeline::models
