#pragma once

#include <array>
#include <span>

#include "kernels/shared/qk_norm_rope_launch.h"
#include "kernels/shared/qk_norm_rope_params.h"
#include "kernels/shared/qk_norm_rope_variant.h"
#include "ropeline/spec.h"

/// From a checked call to launches of the CUDA kernel. Numbers only: nothing here allocates or knows a device.
namespace ropeline::ops::qk_norm_rope {

/// Batches that one launch takes (the limit of grid.z). A call with more is cut by `batches_of`.
inline constexpr std::int64_t most_batches = 65535;

/// Tokens of a packed form: the limit of grid.y.
inline constexpr std::int64_t most_packed_tokens = 65535;

/// What a launch is: which of the plan's variants, its grid and block, and the kernel's one argument.
struct Launch {
  int variant = 0;
  std::array<unsigned, 3> grid = {}, block = {};
  kernel::QkNormRopeLaunch argument = {};
};

/// What a plan brings to each launch: `frequency_table` on the device (or null), and the factor of cos and sin.
struct LaunchAngles {
  const Turns* turns = nullptr;
  float factor = 1;
};

/// The same call with its batches written as tokens where the strides allow it; otherwise as it is.
QkNormRopeParams merged(QkNormRopeParams params);

/// The batches [first, first + count) of a call.
QkNormRopeParams batches_of(QkNormRopeParams params, const Spec& spec, std::int64_t first, std::int64_t count);

/// The launch rule: few tokens get the form with the least code, many the form with the most bytes in flight, and what
/// the aligned forms cannot take gets the last one. `params` is merged and has at most `most_batches` batches and 2^31
/// - 1 tokens, neither zero.
Launch launch(const Spec& spec, std::span<const kernel::Variant> variants, const QkNormRopeParams& params,
              const LaunchAngles& angles, int multiprocessors);

/// The launch of one given variant, by which tests reach every form at every size.
Launch launch_of(const Spec& spec, const kernel::Variant& variant, int wanted_warps, const QkNormRopeParams& params,
                 const LaunchAngles& angles);

/// Whether a form can take the call. Weights and table rows have no alignment by contract; packed forms want q and k as
/// one row of heads for each token, in place, and positions side by side; some forms have no batches.
bool fits(const kernel::Variant& variant, const QkNormRopeParams& params);

}  // namespace ropeline::ops::qk_norm_rope
