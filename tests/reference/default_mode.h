#pragma once

#include <cfenv>

namespace ropeline::reference {

/// docs/numerics.md, section 8. FE_DFL_ENV is round to nearest even with subnormals kept.
class DefaultMode {
 public:
  DefaultMode() {
    std::fegetenv(&caller_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~DefaultMode() { std::fesetenv(&caller_); }
  DefaultMode(const DefaultMode&) = delete;
  DefaultMode& operator=(const DefaultMode&) = delete;

 private:
  std::fenv_t caller_;
};

}  // namespace ropeline::reference
