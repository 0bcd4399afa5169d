#include "ropeline/plan.h"

#include "cpu/program.h"
#include "cuda/context.h"
#include "cuda/qk_norm_rope.h"
#include "error.h"
#include "float_mode.h"
#include "ops/qk_norm_rope.h"

namespace ropeline {
namespace op = ops::qk_norm_rope;
using OpProgram = std::unique_ptr<const DeviceProgram<QkNormRopeParams>>;

struct Plan::Body {
  Spec spec;
  Device device;
  OpProgram program;
};

namespace {

// Why not, or an empty string. Throws for a malformed spec.
std::string obstacle(const Spec& spec, Device device) {
  op::check(spec);
  if (std::string reason = op::unsupported(spec); !reason.empty()) return reason;
  if (device.kind == Device::Kind::cuda) return cuda::obstacle(device.index);
  cpu::resolve(device.target);
  return {};
}

OpProgram program_of(const Spec& spec, Device device) {
  if (device.kind == Device::Kind::cuda) return cuda::qk_norm_rope::program(spec, device.index);
  return cpu::lower(spec, device.target);
}

std::string message_of_current_exception() noexcept try { throw; } catch (const std::exception& error) {
  return error.what();
} catch (...) {
  return "unknown exception";
}

}  // namespace

Support supports(const Spec& spec, Device device) noexcept try {
  const FloatMode mode;  // eps may be subnormal, and the caller's mode may flush those
  return {obstacle(spec, device)};
} catch (...) {
  return {message_of_current_exception()};
}

Plan prepare(const Spec& spec, Device device) {
  const FloatMode mode;  // constants are made here
  if (const std::string reason = obstacle(spec, device); !reason.empty()) throw_unsupported(reason);
  if (device.kind == Device::Kind::cpu) device.target = cpu::resolve(device.target);
  return Plan(std::make_shared<Plan::Body>(spec, device, program_of(spec, device)));
}

PrepareResult try_prepare(const Spec& spec, Device device) noexcept try {
  return {prepare(spec, device), {}};
} catch (...) {
  return {std::nullopt, message_of_current_exception()};
}

void Plan::run(const Args& args, DeviceStream stream) const {
  op::check(body_->spec, body_->device, args);
  const QkNormRopeParams params = op::params(body_->spec, args);
  if (params.batches == 0 || params.tokens == 0) return;
  body_->program->run(params, stream);
}

const Spec& Plan::spec() const noexcept { return body_->spec; }

Device Plan::device() const noexcept { return body_->device; }

}  // namespace ropeline
