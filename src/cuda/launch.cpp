#include "launch.h"

#include "context.h"
#include "error.h"

namespace ropeline::cuda {
namespace {

std::string described(const jit::Dim3& d) { return text("(", d.x, ", ", d.y, ", ", d.z, ")"); }

// Kept out of line: a launch that succeeds does not pay for it.
[[noreturn, gnu::noinline, gnu::cold]] void fail(const Driver& d, Result result, const jit::Launch& how,
                                                 const std::string& name) {
  if (result == result::invalid_handle || result == result::invalid_context) check_stream(how.stream, current_device());
  throw jit::Error(result == result::invalid_value ? ErrorKind::invalid_argument : ErrorKind::unavailable,
                   {jit::Stage::launch,
                    text(name, ": grid ", described(how.grid), ", block ", described(how.block), ", ", how.shared_bytes,
                         " bytes of dynamic shared memory: ", name_of(d, result)),
                    {},
                    {},
                    {}});
}

}  // namespace

[[gnu::hot]] void launch(const Driver& d, Function function, const jit::Launch& how, const void* const* arguments,
                         const std::string& name) {
  LaunchAttribute overlap;
  overlap.id = LaunchAttribute::programmatic_stream_serialization;
  overlap.value.number = 1;
  const LaunchConfig config{how.grid.x,       how.grid.y,
                            how.grid.z,       how.block.x,
                            how.block.y,      how.block.z,
                            how.shared_bytes, static_cast<Stream>(how.stream),
                            &overlap,         how.overlap_previous ? 1u : 0u};
  const Result result = d.launch(&config, function, const_cast<void**>(arguments), nullptr);
  if (result != result::success) fail(d, result, how, name);
}

}  // namespace ropeline::cuda
