#pragma once

#include "tools/devices.h"
#include "tools/placed.h"
#include "tools/run.h"
#include "tools/safetensors.h"
#include "tools/stopwatch.h"
#include "tools/tensor.h"

namespace ropeline::tools {

/// The spec that `--out` wrote beside the tensors of the words.
std::string recorded_spec(const RunWords& words);

/// What a run has to tell.
struct Ran {
  std::string spec;  ///< in JSON
  Device device;
  double microseconds;
  std::vector<NamedTensor> outputs;
  NamedTensors tensors;  ///< of the whole call
};

/// The text that is printed. Writes the file that the words ask for.
std::string report(const RunWords& words, const Ran& ran);

/// Microseconds of a call; on a GPU, of one among many that are queued.
template <class Plan, class PlacedArgs>
double time_of(const Plan& plan, const PlacedArgs& placed) {
  const int calls = plan.device().kind == Device::Kind::cuda ? 200 : 1;
  const auto run_all = [&] {
    for (int i = 0; i < calls; ++i) plan.run(placed.args());
    placed.wait();
  };
  return microseconds(run_all, 3) / calls;
}

/// Prepares the spec, then runs the call that `make_call` makes.
template <class Spec, class MakeCall>
std::string run_call(const RunWords& words, const Spec& spec, const MakeCall& make_call) {
  const auto plan = prepare(spec, device_of(words.device, words.target));
  const auto call = make_call();
  const Placed placed(call.args(), plan.device());
  const double time = time_of(plan, placed);
  placed.fetch();
  return report(words, {spec.json(), plan.device(), time, call.outputs(), call.named()});
}

}  // namespace ropeline::tools
