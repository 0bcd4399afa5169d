#pragma once

#include <string>
#include <vector>

#include "conformance/memory.h"
#include "ropeline/plan.h"

namespace ropeline::conformance {

/// A spec, the arguments of one call, and the memory they lie in. A copy is the same call in memory of its own.
struct Call {
  Spec spec;
  Memory memory;
  Args args = {};
  std::string origin = {};  ///< seed and recipe, for the message of a failure

  Call(Spec spec, std::byte poison) : spec(std::move(spec)), memory(poison) {}
  Call(const Call& other);
  Call(Call&&) = default;
  Call& operator=(Call&&) = default;
};

/// Every view of a call, absent ones too.
std::vector<TensorView*> views(Args& args);

/// What a call writes.
struct Written {
  const char* name;
  TensorView view;
};
std::vector<Written> written(const Call& call);

}  // namespace ropeline::conformance
