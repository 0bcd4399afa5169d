#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ropeline/device.h"
#include "ropeline/error.h"
#include "ropeline/executor.h"
#include "ropeline/export.h"

namespace ropeline {

/// What every op has: a spec (what is fixed for a layer), arguments (the tensors of one call), and
///
///     Support       supports(spec, device)        yes, or why not; compiles nothing
///     PlanOf<...>   prepare(spec, device)         throws the reason
///     PrepareResult try_prepare(spec, device)     a plan or the reason; never throws
///
/// `plan.h` has those of qk_norm_rope, `kv_cast.h` those of kv_cast.

/// An answer with a reason. True means yes; otherwise `reason` names the field and why.
struct Support {
  std::string reason;
  explicit operator bool() const noexcept { return reason.empty(); }
};

/// A checked, compiled, launchable spec of an op. Cheap to copy (copies share one immutable plan), safe to run from
/// many threads.
template <class Spec, class Args>
class ROPELINE_API PlanOf {
 public:
  /// Checks the arguments (Error{invalid_argument} before anything is written), then runs. On a CPU it returns when the
  /// outputs are written; on a GPU when the kernel is queued on `stream.cuda`, in a graph that is being captured too.
  /// No string on the way, no wait for a lock, and no allocation, but for the CPU pool's threads, which the first call
  /// that needs them starts. A GPU plan must live until its kernels have run, and longer than a graph that holds them.
  void run(const Args& args, DeviceStream stream = {}) const;

  /// The checks of `run` alone, for who has something to do between them and the writing.
  void check(const Args& args) const;

  const Spec& spec() const noexcept;
  Device device() const noexcept;

  struct Body;  // defined in src
  explicit PlanOf(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}

 private:
  std::shared_ptr<const Body> body_;
};

/// A plan, or the reason why there is none.
template <class Plan>
struct PrepareResultOf {
  std::optional<Plan> plan;
  std::string reason;
  explicit operator bool() const noexcept { return plan.has_value(); }
};

}  // namespace ropeline
