#include "cpu/share.h"

#include <algorithm>

#include "float_mode.h"

namespace ropeline::cpu {
namespace {

/// Elements that are worth another thread: about four microseconds of work, several times what waking one costs.
constexpr std::int64_t kElementsPerThread = 32 * 1024;

/// A call cut into parts, as even as possible.
struct Shared {
  const void* call;
  TokenRange range;
  std::int64_t tokens;
  std::int64_t parts;
};

void run_part(void* context, int part) {
  const Shared& shared = *static_cast<const Shared*>(context);
  const FloatMode mode;
  shared.range(shared.call, shared.tokens * part / shared.parts, shared.tokens * (part + 1) / shared.parts);
}

std::int64_t parts_of(std::int64_t tokens, std::int64_t elements, const Executor& executor) {
  if (tokens * elements < 2 * kElementsPerThread) return 1;
  return std::clamp<std::int64_t>(executor.width(), 1, std::min(tokens, tokens * elements / kElementsPerThread));
}

}  // namespace

void share(const void* call, TokenRange range, std::int64_t tokens, std::int64_t elements, DeviceStream stream) {
  Executor& executor = stream.executor ? *stream.executor : default_executor();
  Shared shared{call, range, tokens, parts_of(tokens, elements, executor)};
  if (shared.parts == 1) return run_part(&shared, 0);
  executor.run(static_cast<int>(shared.parts), run_part, &shared);
}

}  // namespace ropeline::cpu
