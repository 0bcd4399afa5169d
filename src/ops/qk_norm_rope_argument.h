#pragma once

#include "kernels/shared/qk_norm_rope_launch.h"
#include "kernels/shared/qk_norm_rope_params.h"
#include "ropeline/spec.h"

/// From the params of a call to the one argument of the kernel.
namespace ropeline::ops::qk_norm_rope {

/// The same call with its batches written as tokens where the strides allow it; otherwise as it is.
QkNormRopeParams merged(const QkNormRopeParams& params);

/// The batches [first, first + count) of a call.
QkNormRopeParams batches_of(const QkNormRopeParams& params, const Spec& spec, std::int64_t first, std::int64_t count);

/// What a plan brings to each launch: `frequency_table` on the device (or null), and the factor of cos and sin.
struct LaunchAngles {
  const Turns* turns = nullptr;
  float factor = 1;
};

/// What the argument has of the spec. Made once, and then an argument of each call.
class Argument {
 public:
  Argument(const Spec& spec, const LaunchAngles& angles);

  kernel::QkNormRopeLaunch of(const QkNormRopeParams& params) const;

 private:
  struct Norm {
    float eps, offset;
  };
  static Norm norm_of(const StreamSpec& stream);

  bool has_q_;
  Norm q_, k_;
  LaunchAngles angles_;
  std::int64_t activation_, table_, position_;  // bytes of an element
};

}  // namespace ropeline::ops::qk_norm_rope
