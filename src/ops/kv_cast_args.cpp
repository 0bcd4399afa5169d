// What a call must bring. Nothing has been written when one of these throws.

#include "error.h"
#include "ops/aliasing.h"
#include "ops/kv_cast.h"
#include "ops/tensor_check.h"

namespace ropeline::ops::kv_cast {
namespace {

struct Named {
  const char* name;
  const TensorView& view;
};

// Of what is the same for every spec.
void check_dtype(Named tensor, DType dtype) {
  require(tensor.view.dtype == dtype, tensor.name, ": dtype ", name_of(tensor.view.dtype), " must be ", name_of(dtype));
}

void check_heads(const KvCastSpec& spec, Named tensor, const char* shape) {
  const TensorView& view = tensor.view;
  require(static_cast<bool>(view), tensor.name, ": missing");
  require(view.rank == 3 && view.shape[1] == spec.heads && view.shape[2] == spec.head_dim, tensor.name, ": shape ",
          Shape{view}, " must be [", shape, ", ", spec.heads, ", ", spec.head_dim, "]");
}

[[gnu::hot]] Tensor check_input(const KvCastSpec& spec, Device device, Named tensor) {
  check_heads(spec, tensor, "T");
  const Tensor checked = check_memory(tensor.name, tensor.view, spec.input, device);
  check_unit_stride(tensor.name, tensor.view);
  check_alignment(tensor.name, tensor.view, spec.alignment);
  return checked;
}

[[gnu::hot]] Tensor check_cache(const KvCastSpec& spec, Device device, Named tensor) {
  check_heads(spec, tensor, "N");
  check_dtype(tensor, DType::fp8_e4m3);
  const Tensor checked = check_memory(tensor.name, tensor.view, DType::fp8_e4m3, device);
  check_unit_stride(tensor.name, tensor.view);
  check_alignment(tensor.name, tensor.view, spec.alignment / 2, "half of the spec's alignment");
  check_distinct(checked);
  return checked;
}

[[gnu::hot]] Tensor check_scale(Device device, Named tensor) {
  const TensorView& view = tensor.view;
  require(static_cast<bool>(view), tensor.name, ": missing");
  require(view.rank == 0 || (view.rank == 1 && view.shape[0] == 1), tensor.name, ": shape ", Shape{view},
          " must be [] or [1]");
  check_dtype(tensor, DType::fp32);
  return check_memory(tensor.name, view, DType::fp32, device);
}

[[gnu::hot]] Tensor check_loc(const KvCastSpec& spec, Device device, std::int64_t tokens, const KvCastArgs& args) {
  require(static_cast<bool>(args.loc), "loc: missing");
  require(args.loc.rank == 1 && args.loc.shape[0] == tokens, "loc: shape ", Shape{args.loc}, " must be [", tokens, "]");
  const Tensor checked = check_memory("loc", args.loc, spec.loc, device);
  require(args.mult >= 1, "mult: ", args.mult, " must be at least 1");
  require(args.offset >= 0, "offset: ", args.offset, " must be at least 0");
  return checked;
}

void check_apart(const Tensor& cache, const Tensor& other) {
  require(!may_overlap(cache.extent, other.extent), cache.name, ": overlaps ", other.name,
          "; a cache is apart from every other tensor of the call");
}

}  // namespace

[[gnu::hot]] void check(const KvCastSpec& spec, Device device, const KvCastArgs& args) {
  const Tensor k = check_input(spec, device, {"k", args.k});
  const Tensor v = check_input(spec, device, {"v", args.v});
  require(args.k.shape == args.v.shape, "v: shape ", Shape{args.v}, " differs from k's ", Shape{args.k});
  const Tensor k_cache = check_cache(spec, device, {"k_cache", args.k_cache});
  const Tensor v_cache = check_cache(spec, device, {"v_cache", args.v_cache});
  require(args.k_cache.shape == args.v_cache.shape, "v_cache: shape ", Shape{args.v_cache}, " differs from k_cache's ",
          Shape{args.k_cache});
  const Tensor k_scale = check_scale(device, {"k_scale", args.k_scale});
  const Tensor v_scale = check_scale(device, {"v_scale", args.v_scale});
  const Tensor loc = check_loc(spec, device, args.k.shape[0], args);
  for (const Tensor* cache : {&k_cache, &v_cache})
    for (const Tensor* input : {&k, &v, &k_scale, &v_scale, &loc}) check_apart(*cache, *input);
  check_apart(k_cache, v_cache);
}

}  // namespace ropeline::ops::kv_cast
