#include "ropeline/kernel_source.h"

#include "cuda/qk_norm_rope.h"
#include "error.h"
#include "float_mode.h"
#include "ops/qk_norm_rope.h"

namespace ropeline {

jit::Source kernel_source(const Spec& spec) {
  const FloatMode mode;  // eps may be subnormal, and the caller's mode may flush those
  ops::qk_norm_rope::check(spec);
  if (const std::string reason = ops::qk_norm_rope::unsupported(spec); !reason.empty()) throw_unsupported(reason);
  return cuda::qk_norm_rope::source(spec);
}

}  // namespace ropeline
