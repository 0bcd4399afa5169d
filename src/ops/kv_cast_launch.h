#pragma once

#include <array>
#include <string>

#include "kernels/shared/kv_cast_params.h"
#include "kernels/shared/kv_cast_variant.h"
#include "ropeline/kv_cast.h"

/// From a checked call to launches of the CUDA kernel. Numbers only: nothing here knows a device.
namespace ropeline::ops::kv_cast {

inline constexpr const char* kernel_source = "kernels/ops/kv_cast.cuh";

/// What a plan holds: a form for few tokens, which has the least code in a lane, and one for many, which has the most
/// bytes in flight. A lane's run follows the alignment, so either takes every legal call.
std::array<kernel::KvCastVariant, 2> variants(const KvCastSpec& spec);

/// Which of them a launch takes.
int choose(const std::array<kernel::KvCastVariant, 2>& variants, std::int64_t tokens, int multiprocessors);

/// The kernel as C++ names it, and as NVRTC is asked for it.
std::string kernel_name(const kernel::KvCastVariant& variant);

/// Tokens that one launch takes: the limit of grid.x. A call with more is cut by `tokens_of`.
inline constexpr std::int64_t most_tokens = 2147483647;

/// The tokens [first, first + count) of a call.
KvCastParams tokens_of(KvCastParams params, const KvCastSpec& spec, std::int64_t first, std::int64_t count);

/// The kernel's one argument is the params.
struct Launch {
  std::array<unsigned, 3> grid, block;
};

/// Of 1 to most_tokens tokens.
Launch launch(const kernel::KvCastVariant& variant, std::int64_t tokens);

}  // namespace ropeline::ops::kv_cast
