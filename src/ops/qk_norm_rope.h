#pragma once

#include "kernels/shared/qk_norm_rope_params.h"
#include "ropeline/plan.h"
#include "ropeline/spec.h"

/// The contract of the op: what a spec must be, what a call must bring, and the launch that follows. No device in
/// sight.
namespace ropeline::ops::qk_norm_rope {

/// Throws Error{invalid_argument} for a spec that can never be right, with the field and the value.
void check(const Spec& spec);

/// What of a well-formed spec this version does not run, or an empty string.
std::string unsupported(const Spec& spec);

/// The rope that the call's angles are for: the first that rotates anything, q's before k's. Null when none does.
const Rope* rotation(const Spec& spec);

/// What a spec asks of every call, worked out once: a few numbers in place of lists of steps.
struct Contract {
  Contract(const Spec& spec, Device device);

  struct Stream {
    int heads;
    bool norm, weight;  ///< whether it has a norm, and that a weight
  };
  enum class Angles : std::uint8_t { none, positions, cache, rows };

  Stream q, k;
  int head_dim, alignment;
  DType activation, weight, table, positions;
  Angles angles;
  int table_width;  ///< elements of a row of the cache, or of the rows of cos and sin
  Device device;
};

/// Checks the tensors of a call. Throws Error{invalid_argument}.
void check(const Contract& contract, const Args& args);

/// The launch of a checked call.
QkNormRopeParams params(const Args& args);

}  // namespace ropeline::ops::qk_norm_rope
