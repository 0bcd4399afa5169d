// What the recording driver of tests/cuda was told, as JSON for Python. Linked into the driver itself.

#include <nlohmann/json.hpp>

#include "tests/cuda/fake_driver.h"

extern "C" ropeline::cuda::FakeDriver* fake_driver_state();

namespace {
std::string last;
}

// How many bytes of a launch's parameter memory are kept. The first argument's place is its begin.
extern "C" void fake_driver_keep(std::size_t bytes) { fake_driver_state()->argument_bytes = bytes; }

extern "C" void fake_driver_refuse(int result) { fake_driver_state()->launch_result = result; }

extern "C" const char* fake_driver_log() {
  auto& state = *fake_driver_state();
  nlohmann::json launches = nlohmann::json::array();
  for (const auto& launch : state.launches)
    launches.push_back(
        {{"grid", launch.grid},
         {"block", launch.block},
         {"shared_bytes", launch.shared_bytes},
         {"stream", reinterpret_cast<std::uintptr_t>(launch.stream)},
         {"attributes", launch.attribute_ids},
         {"arguments", launch.arguments.size()},
         {"memory", std::vector<unsigned char>(launch.first_argument.begin(), launch.first_argument.end())}});
  last = nlohmann::json{{"launches", launches}, {"calls", state.calls}, {"unloaded", state.unloaded}}.dump();
  return last.c_str();
}

// A launch without a record, for measuring what a call costs.
extern "C" void fake_driver_forget() {
  fake_driver_state()->launches.clear();
  fake_driver_state()->calls.clear();
}
