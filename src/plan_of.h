#pragma once

// The way of a call, the same for every op. An op's own file, src/<op>.cpp, says what is its own by specialising OpOf,
// and instantiates PlanOf.

#include "cpu/target.h"
#include "cuda/context.h"
#include "device_program.h"
#include "error.h"
#include "float_mode.h"
#include "ropeline/jit.h"
#include "ropeline/plan_of.h"

namespace ropeline {

/// Of an op with that spec:
///
///     Args, Params                        the tensors of a call; addresses, counts and strides of one launch
///     check(spec)                         throws for a malformed spec
///     unsupported(spec)                   what of a well-formed one this version does not run, or an empty string
///     Contract(spec, device)              what follows from these for every call, worked out once
///     check(contract, args)               throws for what a call may not bring
///     params(args), is_empty(params)      of a checked call
///     cpu(spec, target), cuda(spec, i)    the program of a device that runs it
///     source(spec)                        what the JIT compiles for it
template <class Spec>
struct OpOf;

template <class Spec>
using ProgramOf = std::unique_ptr<const DeviceProgram<typename OpOf<Spec>::Params>>;

template <class Spec, class Args>
struct PlanOf<Spec, Args>::Body {
  Body(const Spec& s, Device d, ProgramOf<Spec> p) : spec(s), device(d), contract(s, d), program(std::move(p)) {}

  Spec spec;
  Device device;
  typename OpOf<Spec>::Contract contract;
  ProgramOf<Spec> program;
};

// Everything on the way of a run is marked hot, which the linker puts side by side: the driver's own work in between
// leaves none of it in the first caches, and then pages count.
template <class Spec, class Args>
[[gnu::hot]] void PlanOf<Spec, Args>::run(const Args& args, DeviceStream stream) const {
  using Op = OpOf<Spec>;
  Op::check(body_->contract, args);
  const typename Op::Params params = Op::params(args);
  if (!Op::is_empty(params)) body_->program->run(params, stream);
}

template <class Spec, class Args>
void PlanOf<Spec, Args>::check(const Args& args) const {
  OpOf<Spec>::check(body_->contract, args);
}

template <class Spec, class Args>
const Spec& PlanOf<Spec, Args>::spec() const noexcept {
  return body_->spec;
}

template <class Spec, class Args>
Device PlanOf<Spec, Args>::device() const noexcept {
  return body_->device;
}

namespace plan {

/// Why not, or an empty string. Throws for a malformed spec.
template <class Spec>
std::string obstacle(const Spec& spec, Device device) {
  OpOf<Spec>::check(spec);
  if (std::string reason = OpOf<Spec>::unsupported(spec); !reason.empty()) return reason;
  if (device.kind == Device::Kind::cuda) return cuda::obstacle(device.index);
  cpu::resolve(device.target);
  return {};
}

template <class Spec>
auto prepare(const Spec& spec, Device device) {
  using Op = OpOf<Spec>;
  using Plan = PlanOf<Spec, typename Op::Args>;
  const FloatMode mode;  // constants are made here
  if (const std::string reason = obstacle(spec, device); !reason.empty()) throw_unsupported(reason);
  const bool gpu = device.kind == Device::Kind::cuda;
  if (!gpu) device.target = cpu::resolve(device.target);
  ProgramOf<Spec> program = gpu ? Op::cuda(spec, device.index) : Op::cpu(spec, device.target);
  return Plan(std::make_shared<typename Plan::Body>(spec, device, std::move(program)));
}

inline std::string message_of_current_exception() noexcept try { throw; } catch (const std::exception& error) {
  return error.what();
} catch (...) {
  return "unknown exception";
}

template <class Spec>
Support supports(const Spec& spec, Device device) noexcept try {
  const FloatMode mode;  // a number of the spec may be subnormal, and the caller's mode may flush those
  return {obstacle(spec, device)};
} catch (...) {
  return {message_of_current_exception()};
}

template <class Spec>
auto try_prepare(const Spec& spec, Device device) noexcept -> PrepareResultOf<decltype(prepare(spec, device))> try {
  return {prepare(spec, device), {}};
} catch (...) {
  return {std::nullopt, message_of_current_exception()};
}

template <class Spec>
jit::Source kernel_source(const Spec& spec) {
  const FloatMode mode;
  OpOf<Spec>::check(spec);
  if (const std::string reason = OpOf<Spec>::unsupported(spec); !reason.empty()) throw_unsupported(reason);
  return OpOf<Spec>::source(spec);
}

}  // namespace plan
}  // namespace ropeline
