#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "conformance/backend.h"
#include "kernels/shared/qk_norm_rope_variant.h"

namespace ropeline::conformance {

/// A form of the kernel, by the name of its backend.
struct NamedForm {
  const char* name;
  bool (*is)(const kernel::Form&);
  bool packed = false;  ///< of most specs it takes packed calls alone
};

/// Every form that a variant may have.
const std::vector<NamedForm>& forms();

/// How often the backend of a form was asked, and how often the form took the call, by its place in `forms`.
struct FormUse {
  std::atomic<int> asked = 0, taken = 0;
};
std::vector<FormUse>& form_use();

/// Backend::sweep_share of the backends of a GPU.
inline constexpr unsigned cuda_sweep_share = 4;

/// "cuda", which is the plan, and "cuda_" with each form: the plan's kernels, launched by that form wherever it takes
/// the call, and by the plan elsewhere. A call's memory is copied to the device whole, poison and guards included.
std::vector<Backend> cuda_backends();

/// Why kernels cannot be compiled and run here, or an empty string.
std::string cuda_absence();

}  // namespace ropeline::conformance
