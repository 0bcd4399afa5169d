// What a call must bring. Nothing has been written when one of these throws.

#include <array>
#include <span>

#include "error.h"
#include "ops/aliasing.h"
#include "ops/qk_norm_rope.h"
#include "ops/tensor_check.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

// A tensor that is written, and its input, which is the same one in place.
struct Output {
  const Tensor *out, *in;
};

// A call as far as it is checked.
struct Call {
  explicit Call(const Contract& c) : contract(c) {}

  const Tensor* add(const Tensor& tensor) { return &(tensors[count++] = tensor); }

  const Contract& contract;
  int rank = TensorView::absent;
  std::int64_t batches = 1, tokens = 0;
  int count = 0, output_count = 0;
  std::array<Output, 2> outputs;
  std::array<Tensor, 10> tensors;  // as many as Args has that any spec reads, in the order of their checks
};

// "[T]", or "[T] or [B, T]" for a call with batches; likewise with a width behind.
struct PerToken {
  const Call& call;
  std::int64_t width = 0;
};

std::ostream& operator<<(std::ostream& out, PerToken right) {
  const std::string tail = right.width ? text(", ", right.width, "]") : "]";
  out << "[" << right.call.tokens << tail;
  if (right.call.rank == 4) out << " or [" << right.call.batches << ", " << right.call.tokens << tail;
  return out;
}

// --- streams -----------------------------------------------------------------------------------------------------

void check_stream_shape(const Call& call, const char* name, const TensorView& view, int heads) {
  require(view.rank == 3 || view.rank == 4, name, ": rank ", view.rank, " must be 3 [T, H, D] or 4 [B, T, H, D]");
  const std::int64_t h = view.shape[view.rank - 2], d = view.shape[view.rank - 1];
  require(h == heads, name, ": ", h, " heads in shape ", Shape{view}, ", the spec has ", heads);
  require(d == call.contract.head_dim, name, ": head_dim ", d, " in shape ", Shape{view}, ", the spec has ",
          call.contract.head_dim);
}

// The first stream sets rank, batches and tokens; the others must agree.
void check_tokens(Call& call, const char* name, const TensorView& view) {
  const std::int64_t b = view.rank == 4 ? view.shape[0] : 1, t = view.shape[view.rank - 3];
  if (call.rank == TensorView::absent) call.rank = view.rank, call.batches = b, call.tokens = t;
  require(view.rank == call.rank, name, ": rank ", view.rank, " differs from the other stream's ", call.rank);
  require(b == call.batches, name, ": batch size ", b, " in shape ", Shape{view}, ", the call has ", call.batches);
  require(t == call.tokens, name, ": ", t, " tokens in shape ", Shape{view}, ", the call has ", call.tokens);
}

[[gnu::hot]] const Tensor* check_heads(Call& call, const char* name, const TensorView& view, int heads) {
  check_stream_shape(call, name, view, heads);
  check_tokens(call, name, view);
  const Tensor* tensor = call.add(check_memory(name, view, call.contract.activation, call.contract.device));
  check_unit_stride(name, view);
  check_alignment(name, view, call.contract.alignment);
  return tensor;
}

void refuse(const char* name, const TensorView& view, const char* why) { require(!view, name, ": given, but ", why); }

struct Stream {
  const Contract::Stream& spec;
  const char *name, *out_name, *weight_name;
  const TensorView &in, &out, &weight;
};

[[gnu::hot]] void check_weight(Call& call, const Stream& stream) {
  const char* name = stream.weight_name;
  const TensorView& weight = stream.weight;
  if (!stream.spec.norm) return refuse(name, weight, "the stream has no norm");
  if (!stream.spec.weight) return refuse(name, weight, "the norm has no weight");
  const int dim = call.contract.head_dim;
  require(static_cast<bool>(weight), name, ": missing, the norm of ", stream.name, " has a weight [", dim, "]");
  require(weight.rank == 1 && weight.shape[0] == dim, name, ": shape ", Shape{weight}, " must be [", dim, "]");
  call.add(check_memory(name, weight, call.contract.weight, call.contract.device));
  check_unit_stride(name, weight);
}

[[gnu::hot]] void check_stream(Call& call, const Stream& stream) {
  if (stream.spec.heads == 0) {
    refuse(stream.name, stream.in, "the spec has no such heads");
    refuse(stream.out_name, stream.out, "the spec has no such heads");
    return refuse(stream.weight_name, stream.weight, "the spec has no such heads");
  }
  require(static_cast<bool>(stream.in), stream.name, ": missing, the spec has ", stream.spec.heads, " heads");
  const Tensor* in = check_heads(call, stream.name, stream.in, stream.spec.heads);
  const Tensor* out = stream.out ? check_heads(call, stream.out_name, stream.out, stream.spec.heads) : in;
  call.outputs[call.output_count++] = {out, in};
  check_weight(call, stream);
}

// --- angles ------------------------------------------------------------------------------------------------------

void check_positions(Call& call, const TensorView& positions) {
  require(static_cast<bool>(positions), "positions: missing, the angles are made from them");
  const int r = positions.rank;
  const bool fits = (r == 1 || (r == 2 && call.rank == 4)) && positions.shape[r - 1] == call.tokens &&
                    (r == 1 || positions.shape[0] == call.batches || positions.shape[0] == 1);
  require(fits, "positions: shape ", Shape{positions}, " must be ", PerToken{call});
  call.add(check_memory("positions", positions, call.contract.positions, call.contract.device));
}

[[gnu::hot]] void check_table(Call& call, const char* name, const TensorView& table) {
  call.add(check_memory(name, table, call.contract.table, call.contract.device));
  check_unit_stride(name, table);
}

void check_cache(Call& call, const TensorView& cache) {
  require(static_cast<bool>(cache), "cos_sin_cache: missing, the rope reads it");
  require(cache.rank == 2 && cache.shape[1] == call.contract.table_width, "cos_sin_cache: shape ", Shape{cache},
          " must be [P, ", call.contract.table_width, "]");
  check_table(call, "cos_sin_cache", cache);
}

[[gnu::hot]] void check_rows(Call& call, const char* name, const TensorView& rows) {
  require(static_cast<bool>(rows), name, ": missing, the rope reads rows of it");
  const int r = rows.rank, width = call.contract.table_width;
  const bool fits = (r == 2 || (r == 3 && call.rank == 4)) && rows.shape[r - 1] == width &&
                    rows.shape[r - 2] == call.tokens && (r == 2 || rows.shape[0] == call.batches || rows.shape[0] == 1);
  require(fits, name, ": shape ", Shape{rows}, " must be ", PerToken{call, width});
  check_table(call, name, rows);
}

void check_alike(const TensorView& cos, const TensorView& sin) {
  require(cos.rank == sin.rank && cos.shape == sin.shape, "sin: shape ", Shape{sin}, " must equal that of cos, ",
          Shape{cos});
  require(same_strides(cos, sin), "sin: strides ", Strides{sin}, " must equal those of cos, ", Strides{cos});
}

[[gnu::hot]] void check_angles(Call& call, const Args& args) {
  using enum Contract::Angles;
  const Contract::Angles angles = call.contract.angles;
  if (angles == positions || angles == cache)
    check_positions(call, args.positions);
  else
    refuse("positions", args.positions, "no stream makes angles from them");
  if (angles == cache)
    check_cache(call, args.cos_sin_cache);
  else
    refuse("cos_sin_cache", args.cos_sin_cache, "no rope of the spec reads it");
  if (angles != rows) {
    refuse("cos", args.cos, "no rope of the spec reads rows");
    return refuse("sin", args.sin, "no rope of the spec reads rows");
  }
  check_rows(call, "cos", args.cos);
  check_rows(call, "sin", args.sin);
  check_alike(args.cos, args.sin);
}

void refuse_unused(const Args& args) {
  constexpr const char* why = "no step of the spec reads it";
  refuse("v", args.v, "the spec has no such heads");
  refuse("v_out", args.v_out, "the spec has no such heads");
  refuse("v_weight", args.v_weight, why);
  refuse("q_bias", args.q_bias, why);
  refuse("k_bias", args.k_bias, why);
  refuse("v_bias", args.v_bias, why);
  refuse("q_scale", args.q_scale, why);
  refuse("k_scale", args.k_scale, why);
  refuse("v_scale", args.v_scale, why);
}

// --- aliasing ----------------------------------------------------------------------------------------------------

[[gnu::hot]] void check_apart(const Output& output, const Tensor& other) {
  if (&other == output.in && same_place(output.out->view(), other.view())) return;
  require(!may_overlap(output.out->extent, other.extent), output.out->name, ": overlaps ", other.name,
          "; an output equals its own input exactly or is apart from every tensor");
}

// The two outputs are compared once.
void check_aliasing(const Call& call) {
  const Tensor* compared = nullptr;
  for (const Output& output : std::span(call.outputs.data(), call.output_count)) {
    check_distinct(*output.out);
    for (const Tensor& other : std::span(call.tensors.data(), call.count))
      if (&other != output.out && &other != compared) check_apart(output, other);
    compared = output.out;
  }
}

// --- the contract ------------------------------------------------------------------------------------------------

Contract::Stream of(const StreamSpec& stream) {
  const Norm* norm = stream.norm();
  return {.heads = stream.heads, .norm = norm != nullptr, .weight = norm && norm->weight != WeightShape::none};
}

}  // namespace

Contract::Contract(const Spec& spec, Device on)
    : q(of(spec.q)),
      k(of(spec.k)),
      head_dim(spec.head_dim),
      alignment(spec.alignment),
      activation(spec.activation),
      weight(spec.weight),
      table(spec.table),
      positions(spec.positions),
      angles(Angles::none),
      table_width(0),
      device(on) {
  const Rope* rope = rotation(spec);
  if (!rope) return;
  const auto* rows = std::get_if<CosSinRows>(&rope->angles);
  const bool cache = std::holds_alternative<CosSinCache>(rope->angles);
  angles = rows ? Angles::rows : cache ? Angles::cache : Angles::positions;
  table_width = rows && rows->layout == RowLayout::half ? rope->rotary_dim() / 2 : rope->rotary_dim();
}

[[gnu::hot]] void check(const Contract& contract, const Args& args) {
  Call call(contract);
  check_stream(call, {contract.q, "q", "q_out", "q_weight", args.q, args.q_out, args.q_weight});
  check_stream(call, {contract.k, "k", "k_out", "k_weight", args.k, args.k_out, args.k_weight});
  check_angles(call, args);
  refuse_unused(args);
  check_aliasing(call);
}

}  // namespace ropeline::ops::qk_norm_rope
