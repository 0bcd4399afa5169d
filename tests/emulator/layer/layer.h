#pragma once

#include "ropeline/models.h"

namespace ropeline::emulator {

/// The model whose layer this program is built for.
inline constexpr const char* kModel = "qwen3-30b-a3b";

/// Its first layer in bf16, as transformers' `apply` asks for it.
inline models::Layer layer() { return models::layer(models::published_config(kModel), 0, DType::bf16); }

}  // namespace ropeline::emulator
