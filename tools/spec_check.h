#pragma once

#include <cstdint>
#include <string>

#include "ropeline/device.h"
#include "tools/golden/judgement.h"
#include "tools/placed.h"
#include "tools/random.h"

namespace ropeline::tools {

/// What one device did over the specs of a check.
struct BackendCheck {
  std::int64_t specs = 0, values = 0, bits_differ = 0;
  std::string first_different;  ///< the spec in JSON; of use when bits_differ is not 0
};

/// Draws so many specs, runs each on the device and on the reference, and counts the bits in which their outputs
/// differ. `call_for(spec, index)` makes the call of spec number 1, 2, ...
template <class Draw, class CallFor, class Reference>
BackendCheck check_drawn(int count, std::uint64_t seed, Device device, const Draw& draw, const CallFor& call_for,
                         const Reference& reference) {
  Random random(seed);
  BackendCheck check;
  while (check.specs < count) {
    const auto spec = draw(random);
    const auto meaning = call_for(spec, static_cast<std::uint64_t>(++check.specs));
    const auto got = with_fresh_outputs(spec, meaning);  // before the reference has written there
    reference(spec, meaning.args());
    const Placed placed(got.args(), device);
    prepare(spec, device).run(placed.args());
    placed.fetch();
    std::int64_t bits = 0;
    const auto ours = got.outputs(), theirs = meaning.outputs();
    for (std::size_t i = 0; i < ours.size(); ++i) {
      check.values += ours[i].tensor.view().elements();
      bits += golden::bits_that_differ(ours[i].tensor, theirs[i].tensor);
    }
    if (bits != 0 && check.bits_differ == 0) check.first_different = spec.json();
    check.bits_differ += bits;
  }
  return check;
}

}  // namespace ropeline::tools
