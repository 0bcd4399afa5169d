#include "tensors.h"

#include <array>
#include <optional>

#include "error.h"

namespace ropeline::binding {
namespace {

void succeed(AOTITorchError status, const char* what) {
  if (status != AOTI_TORCH_SUCCESS) throw Error(ErrorKind::internal, text("torch: ", what, " failed"));
}

struct Code {
  std::int32_t torch;
  DType ours;
};

std::string unknown_name(std::int32_t dtype) {
  if (dtype == aoti_torch_dtype_float64()) return "float64";
  if (dtype == aoti_torch_dtype_uint8()) return "uint8";
  return text("number ", dtype, " of torch");
}

DType dtype_of(AtenTensorHandle handle, const char* name) {
  // torch's numbers are asked for, not assumed: they may differ between its versions.
  static const std::array<Code, 7> codes = {{{aoti_torch_dtype_bfloat16(), DType::bf16},
                                             {aoti_torch_dtype_float32(), DType::fp32},
                                             {aoti_torch_dtype_float16(), DType::fp16},
                                             {aoti_torch_dtype_int64(), DType::int64},
                                             {aoti_torch_dtype_int32(), DType::int32},
                                             {aoti_torch_dtype_float8_e4m3fn(), DType::fp8_e4m3},
                                             {aoti_torch_dtype_int8(), DType::int8}}};
  std::int32_t dtype = 0;
  succeed(aoti_torch_get_dtype(handle, &dtype), "get_dtype");
  for (const Code& code : codes)
    if (code.torch == dtype) return code.ours;
  throw_invalid(text(name, ": dtype ", unknown_name(dtype),
                     " is none of float32, float16, bfloat16, int64, int32, float8_e4m3fn"));
}

Device device_of(AtenTensorHandle handle, const char* name) {
  static const std::int32_t cpu = aoti_torch_device_type_cpu(), cuda = aoti_torch_device_type_cuda();
  std::int32_t type = 0, index = 0;
  succeed(aoti_torch_get_device_type(handle, &type), "get_device_type");
  if (type == cpu) return Device::cpu();
  succeed(aoti_torch_get_device_index(handle, &index), "get_device_index");
  require(type == cuda, name, ": its device is neither a CPU nor a CUDA device");
  return Device::cuda(index);
}

AtenTensorHandle new_handle(const Tensor& tensor) {
  AtenTensorHandle handle = nullptr;
  succeed(aoti_torch_new_tensor_handle(tensor.get(), &handle), "new_tensor_handle");
  return handle;
}

// A tensor that an op with a gradient has made is no leaf.
bool is_leaf(const Tensor& tensor) {
  StableIValue stack = torch::stable::detail::from(new_handle(tensor));
  succeed(aoti_torch_call_dispatcher("aten::is_leaf", "", &stack), "is_leaf");
  return torch::stable::detail::to<bool>(stack);
}

}  // namespace

Tensor take(StableIValue argument) { return Tensor(torch::stable::detail::to<AtenTensorHandle>(argument)); }

Tensor take_optional(StableIValue argument) {
  return Tensor(torch::stable::detail::to<std::optional<AtenTensorHandle>>(argument).value_or(nullptr));
}

bool is_defined(const Tensor& tensor) {
  bool defined = false;
  succeed(aoti_torch_is_defined(tensor.get(), &defined), "is_defined");
  return defined;
}

void announce_write(const Tensor& tensor, const char* name) {
  if (aoti_torch_grad_mode_is_enabled() && !is_leaf(tensor))
    throw_unsupported(text(name, ": needs a gradient, which a call in place would lose"));
  // A copy of a tensor to itself moves nothing and passes all that torch has around a write.
  if (aoti_torch_copy_(tensor.get(), tensor.get(), 0) != AOTI_TORCH_SUCCESS)
    throw_unsupported(text(name,
                           ": torch allows no write; it is a leaf that needs a gradient, or an inference tensor "
                           "outside of inference mode"));
}

Tensor empty_like(const Tensor& tensor) {
  const StableIValue none = torch::stable::detail::from(std::nullopt);
  std::array<StableIValue, 6> stack = {torch::stable::detail::from(new_handle(tensor)), none, none, none, none, none};
  succeed(aoti_torch_call_dispatcher("aten::empty_like", "", stack.data()), "empty_like");
  return take(stack[0]);
}

// All of a view but its dtype.
TensorView untyped_view(const Tensor& tensor, const char* name) {
  TensorView view;
  const AtenTensorHandle handle = tensor.get();
  std::int64_t rank = 0, *shape = nullptr, *strides = nullptr;
  succeed(aoti_torch_get_dim(handle, &rank), "get_dim");
  require(rank <= TensorView::max_rank, name, ": rank ", rank, " is not 0 to ", TensorView::max_rank);
  succeed(aoti_torch_get_sizes(handle, &shape), "get_sizes");
  succeed(aoti_torch_get_strides(handle, &strides), "get_strides");
  view.device = device_of(handle, name);
  view.rank = static_cast<int>(rank);
  for (int i = 0; i < view.rank; ++i) view.shape[i] = shape[i], view.strides[i] = strides[i];
  succeed(aoti_torch_get_data_ptr(handle, &view.data), "get_data_ptr");
  return view;
}

TensorView view(const Tensor& tensor, const char* name) {
  if (!tensor.get()) return {};
  TensorView view = untyped_view(tensor, name);
  view.dtype = dtype_of(tensor.get(), name);
  return view;
}

TensorView view_of_codes(const Tensor& tensor, const char* name) {
  TensorView view = untyped_view(tensor, name);
  std::int32_t dtype = 0;
  succeed(aoti_torch_get_dtype(tensor.get(), &dtype), "get_dtype");
  static const std::int32_t bytes = aoti_torch_dtype_uint8();
  view.dtype = dtype == bytes ? DType::fp8_e4m3 : dtype_of(tensor.get(), name);
  return view;
}

TensorView tokens_first(TensorView view) {
  if (view.rank < 3) return view;  // the op's own check says what is wrong with it
  std::swap(view.shape[view.rank - 3], view.shape[view.rank - 2]);
  std::swap(view.strides[view.rank - 3], view.strides[view.rank - 2]);
  return view;
}

Packed unpack(const TensorView& qkv, const Spec& spec) {
  require(qkv.rank == 2 || qkv.rank == 3, "qkv: rank ", qkv.rank, " must be 2 [T, N] or 3 [B, T, N]");
  const int last = qkv.rank - 1;
  const std::int64_t heads = spec.q.heads + spec.k.heads, width = heads * spec.head_dim;
  require(qkv.shape[last] >= width, "qkv: width ", qkv.shape[last], " is below ", width, ", the ", spec.q.heads,
          " q and ", spec.k.heads, " k heads of ", spec.head_dim);
  TensorView part = qkv;
  part.rank = qkv.rank + 1;
  part.strides[last] = spec.head_dim * qkv.strides[last];
  part.shape[last + 1] = spec.head_dim, part.strides[last + 1] = qkv.strides[last];
  Packed packed;
  if (spec.q.heads) packed.q = part, packed.q.shape[last] = spec.q.heads;
  if (spec.k.heads) packed.k = part, packed.k.shape[last] = spec.k.heads;
  if (spec.k.heads && part.data)
    packed.k.data = static_cast<char*>(part.data) +
                    spec.q.heads * part.strides[last] * static_cast<std::int64_t>(size_of(part.dtype));
  return packed;
}

}  // namespace ropeline::binding
