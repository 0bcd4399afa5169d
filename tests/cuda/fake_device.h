#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "ropeline/jit.h"
#include "tests/cuda/fake_driver.h"
#include "tests/jit/setting.h"

namespace ropeline::cuda {

/// Plans of an op on the recording driver. `Argument` is what its kernel takes.
template <class Argument>
class FakeDevice : public testing::Test {
 protected:
  void SetUp() override {
    fake = {};
    fake.argument_bytes = sizeof(Argument);
    jit::Config config = jit::test_config();
    config.cache_folder = cache() / "cache";
    jit::configure(config);
    ROPELINE_NEEDS_COMPILER();
  }

  /// Shared, so that a spec is compiled once.
  static jit::TemporaryFolder& cache() {
    static jit::TemporaryFolder folder;
    return folder;
  }

  static Argument argument_of(const FakeDriver::Launch& launch) {
    Argument argument;
    std::memcpy(&argument, launch.first_argument.data(), sizeof argument);
    return argument;
  }

  FakeDriver& fake = fake_driver();
};

}  // namespace ropeline::cuda
