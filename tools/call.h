#pragma once

#include <cstdint>
#include <string>

#include "ropeline/plan.h"
#include "tools/safetensors.h"
#include "tools/tensor.h"

namespace ropeline::tools {

/// The tensors of one call of a spec, with their memory. Out of place: what goes in stays as it was.
struct Call {
  Tensor q, k, v, q_weight, k_weight, v_weight, positions, cos_sin_cache, cos, sin;
  Tensor q_out, k_out, v_out;

  Args args() const;
  /// Those that are there, by the names of their fields.
  NamedTensors named() const;
  /// Of those, what the call writes.
  std::vector<NamedTensor> outputs() const;
};

/// What a made-up call is made of.
struct CallSettings {
  std::int64_t tokens = 16;
  std::int64_t first_position = 0;  ///< token t is at first_position + t
  std::uint64_t seed = 1;
  Frequencies frequencies = {};  ///< behind the rows or the cache, where the spec reads one; default: theta 10000
};

/// Random inputs and weights for a spec. Rows and caches hold the angles that transformers would hand over.
Call made_up_call(const Spec& spec, const CallSettings& settings);

/// The tensors of a file under the names of `Args`: q, k, q_weight, positions, cos ... Only shapes that say how large
/// the outputs are get checked here; `Plan::run` checks the rest. Throws Error{invalid_argument} when q or k is
/// missing, or when one of the tensors has a dtype or rank without a counterpart here.
Call call_from(const Spec& spec, const SafeTensors& file);

/// A call for a spec with other outputs, the same inputs.
Call with_fresh_outputs(const Spec& spec, Call call);

}  // namespace ropeline::tools
