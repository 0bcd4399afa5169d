#include "ops/tensor_check.h"

#include "error.h"

namespace ropeline::ops {
namespace {

bool same_device(const Device& a, const Device& b) { return a.kind == b.kind && a.index == b.index; }

std::ostream& print_list(std::ostream& out, const std::array<std::int64_t, TensorView::max_rank>& list, int count) {
  out << "[";
  for (int i = 0; i < count; ++i) out << (i ? ", " : "") << list[i];
  return out << "]";
}

// A dtype as a part of a sentence.
struct Name {
  DType dtype;
};

std::ostream& operator<<(std::ostream& out, Name name) { return out << name_of(name.dtype); }

}  // namespace

std::ostream& operator<<(std::ostream& out, Shape shape) { return print_list(out, shape.view.shape, shape.view.rank); }

std::ostream& operator<<(std::ostream& out, Strides strides) {
  return print_list(out, strides.view.strides, strides.view.rank);
}

std::ostream& operator<<(std::ostream& out, On on) { return out << to_string(on.device); }

[[gnu::hot]] Tensor check_memory(const char* name, const TensorView& view, DType dtype, const Device& device) {
  require(view.dtype == dtype, name, ": dtype ", Name{view.dtype}, " differs from the spec's ", Name{dtype});
  require(same_device(view.device, device), name, ": is on ", On{view.device}, ", the plan runs on ", On{device});
  const auto size = static_cast<std::int64_t>(size_of(dtype));
  Tensor tensor;
  tensor.name = name;
  require(measure(view, size, tensor.extent), name, ": shape ", Shape{view}, " with strides ", Strides{view},
          " is no place in memory");
  require(view.data || tensor.extent.is_empty(), name, ": null data for shape ", Shape{view});
  const auto address = reinterpret_cast<std::uintptr_t>(view.data);
  require((address & (size - 1)) == 0, name, ": base is aligned to ", address & -address, " bytes, elements of ",
          Name{dtype}, " need ", size);
  return tensor;
}

[[gnu::hot]] void check_unit_stride(const char* name, const TensorView& view) {
  const int last = view.rank - 1;
  require(view.shape[last] <= 1 || view.strides[last] == 1, name, ": stride ", view.strides[last],
          " of the last dimension must be 1");
}

[[gnu::hot]] void check_distinct(const Tensor& tensor) {
  require(!overlaps_itself(tensor.extent), tensor.name, ": strides ", Strides{tensor.view()}, " of shape ",
          Shape{tensor.view()}, " make elements overlap");
}

[[gnu::hot]] void check_alignment(const char* name, const TensorView& view, int bytes, const char* rule) {
  const auto address = reinterpret_cast<std::uintptr_t>(view.data);
  const std::int64_t low = bytes - 1;  // a division would cost more than all the rest
  require((address & low) == 0, name, ": base is aligned to ", address & -address, " bytes, ", rule, " is ", bytes);
  const auto size = static_cast<std::int64_t>(size_of(view.dtype));
  for (int i = 0; i + 1 < view.rank; ++i)
    require(view.shape[i] <= 1 || (view.strides[i] * size & low) == 0, name, ": stride ", view.strides[i], " (",
            view.strides[i] * size, " bytes) of dimension ", i, " is not a multiple of ", rule, " ", bytes);
}

}  // namespace ropeline::ops
