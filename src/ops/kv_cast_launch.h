#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "kernels/shared/kv_cast_params.h"
#include "kernels/shared/kv_cast_variant.h"
#include "ropeline/kv_cast.h"

/// From a checked call to launches of the CUDA kernel. Numbers only: nothing here knows a device.
namespace ropeline::ops::kv_cast {

inline constexpr const char* kernel_file = "kernels/ops/kv_cast.cuh";

/// What a plan holds: a form for few tokens, which has the least code in a lane, and one for many, which has the most
/// bytes in flight. Their lanes' runs follow the spec's alignment, so that either takes every legal call. Behind them,
/// where that alignment is less, the forms of 16 bytes, for the calls that have more than they must.
std::vector<kernel::KvCastVariant> variants(const KvCastSpec& spec);

/// The bytes that the addresses of a launch and the strides that it uses are multiples of, at most 16; those of the
/// caches count twice, as a code has half the bytes.
int alignment_of(const KvCastSpec& spec, const KvCastParams& params);

/// Which of the variants a launch takes: of those for as many tokens, the one with the longest run that the call
/// admits.
int choose(const KvCastSpec& spec, std::span<const kernel::KvCastVariant> variants, const KvCastParams& params,
           int multiprocessors);

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
