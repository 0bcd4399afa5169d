#pragma once

#include <torch/csrc/stable/library.h>

#include <utility>

#include "ropeline/spec.h"
#include "ropeline/tensor.h"

/// torch's tensors as views of the same memory. Only the C functions of the stable ABI are used: a
/// torch::stable::Tensor costs an allocation for each argument, a handle does not.
namespace ropeline::binding {

/// A tensor that torch has handed over, or null. Released at the end of the call.
class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(AtenTensorHandle handle) : handle_(handle) {}
  Tensor(Tensor&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Tensor& operator=(Tensor&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Tensor() {
    if (handle_) aoti_torch_delete_tensor_object(handle_);
  }

  AtenTensorHandle get() const { return handle_; }
  AtenTensorHandle release() { return std::exchange(handle_, nullptr); }

 private:
  AtenTensorHandle handle_ = nullptr;
};

/// A `Tensor` argument of a boxed call, and a `Tensor?` one.
Tensor take(StableIValue argument);
Tensor take_optional(StableIValue argument);

/// Whether a `Tensor` argument is one: torch hands None over as an undefined tensor.
bool is_defined(const Tensor& tensor);

/// What torch's own in-place ops do besides writing: counts a new version of the tensor, so that a gradient which needs
/// the old values is refused later, and throws, with the argument's name, for a tensor that autograd follows or that
/// torch guards against writing.
void announce_write(const Tensor& tensor, const char* name);

/// An uninitialised tensor with the shape, dtype and dense strides of another.
Tensor empty_like(const Tensor& tensor);

/// A view of the tensor; absent for null. Throws Error{invalid_argument} for a rank above 4 or a dtype that Ropeline
/// does not know, with the argument's name.
TensorView view(const Tensor& tensor, const char* name);

/// The same of a cache of FP8 numbers, which engines hold as uint8 too, because torch indexes those: its bytes are
/// taken as the bits of E4M3.
TensorView view_of_codes(const Tensor& tensor, const char* name);

/// The same view of [.., H, T, D] memory as [.., T, H, D].
TensorView tokens_first(TensorView view);

/// The q (or k) part of a packed qkv [T, N] or [B, T, N]: q heads, then k heads, then whatever the caller keeps there.
struct Packed {
  TensorView q, k;
};
Packed unpack(const TensorView& qkv, const Spec& spec);

}  // namespace ropeline::binding
