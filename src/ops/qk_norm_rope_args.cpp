// What a call must bring. Nothing has been written when one of these throws.

#include <array>

#include "error.h"
#include "ops/aliasing.h"
#include "ops/qk_norm_rope.h"
#include "ops/tensor_check.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

struct Call {
  const Spec& spec;
  Device device;
  std::int64_t batches = 1, tokens = 0;
  int rank = TensorView::absent;
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
  require(d == call.spec.head_dim, name, ": head_dim ", d, " in shape ", Shape{view}, ", the spec has ",
          call.spec.head_dim);
}

// The first stream sets rank, batches and tokens; the others must agree.
void check_tokens(Call& call, const char* name, const TensorView& view) {
  const std::int64_t b = view.rank == 4 ? view.shape[0] : 1, t = view.shape[view.rank - 3];
  if (call.rank == TensorView::absent) call.rank = view.rank, call.batches = b, call.tokens = t;
  require(view.rank == call.rank, name, ": rank ", view.rank, " differs from the other stream's ", call.rank);
  require(b == call.batches, name, ": batch size ", b, " in shape ", Shape{view}, ", the call has ", call.batches);
  require(t == call.tokens, name, ": ", t, " tokens in shape ", Shape{view}, ", the call has ", call.tokens);
}

[[gnu::hot]] void check_tensor(Call& call, const char* name, const TensorView& view, int heads) {
  check_stream_shape(call, name, view, heads);
  check_tokens(call, name, view);
  check_memory(name, view, call.spec.activation, call.device);
  check_unit_stride(name, view);
  check_alignment(name, view, call.spec.alignment);
}

void refuse(const char* name, const TensorView& view, const char* why) { require(!view, name, ": given, but ", why); }

struct Stream {
  const StreamSpec& spec;
  const char *name, *out_name, *weight_name;
  const TensorView &in, &out, &weight;

  const TensorView& written() const { return out ? out : in; }
  const char* written_name() const { return out ? out_name : name; }
};

std::array<Stream, 2> streams(const Spec& spec, const Args& args) {
  return {{{spec.q, "q", "q_out", "q_weight", args.q, args.q_out, args.q_weight},
           {spec.k, "k", "k_out", "k_weight", args.k, args.k_out, args.k_weight}}};
}

void check_weight(const Call& call, const Stream& stream) {
  const Norm* norm = stream.spec.norm();
  const TensorView& weight = stream.weight;
  if (!norm) return refuse(stream.weight_name, weight, "the stream has no norm");
  if (norm->weight == WeightShape::none) return refuse(stream.weight_name, weight, "the norm has no weight");
  require(static_cast<bool>(weight), stream.weight_name, ": missing, the norm of ", stream.name, " has a weight [",
          call.spec.head_dim, "]");
  require(weight.rank == 1 && weight.shape[0] == call.spec.head_dim, stream.weight_name, ": shape ", Shape{weight},
          " must be [", call.spec.head_dim, "]");
  check_memory(stream.weight_name, weight, call.spec.weight, call.device);
  check_unit_stride(stream.weight_name, weight);
}

void check_stream(Call& call, const Stream& stream) {
  if (stream.spec.heads == 0) {
    refuse(stream.name, stream.in, "the spec has no such heads");
    refuse(stream.out_name, stream.out, "the spec has no such heads");
    return refuse(stream.weight_name, stream.weight, "the spec has no such heads");
  }
  require(static_cast<bool>(stream.in), stream.name, ": missing, the spec has ", stream.spec.heads, " heads");
  check_tensor(call, stream.name, stream.in, stream.spec.heads);
  if (stream.out) check_tensor(call, stream.out_name, stream.out, stream.spec.heads);
  check_weight(call, stream);
}

// --- angles ------------------------------------------------------------------------------------------------------

void check_positions(const Call& call, const TensorView& positions) {
  require(static_cast<bool>(positions), "positions: missing, the angles are made from them");
  const int r = positions.rank;
  const bool fits = (r == 1 || (r == 2 && call.rank == 4)) && positions.shape[r - 1] == call.tokens &&
                    (r == 1 || positions.shape[0] == call.batches || positions.shape[0] == 1);
  require(fits, "positions: shape ", Shape{positions}, " must be ", PerToken{call});
  check_memory("positions", positions, call.spec.positions, call.device);
}

void check_cache(const Call& call, const TensorView& cache, int rotary_dim) {
  require(static_cast<bool>(cache), "cos_sin_cache: missing, the rope reads it");
  require(cache.rank == 2 && cache.shape[1] == rotary_dim, "cos_sin_cache: shape ", Shape{cache}, " must be [P, ",
          rotary_dim, "]");
  check_memory("cos_sin_cache", cache, call.spec.table, call.device);
  check_unit_stride("cos_sin_cache", cache);
}

void check_rows(const Call& call, const char* name, const TensorView& rows, const CosSinRows& angles) {
  require(static_cast<bool>(rows), name, ": missing, the rope reads rows of it");
  const std::int64_t width = angles.layout == RowLayout::half ? angles.rotary_dim / 2 : angles.rotary_dim;
  const int r = rows.rank;
  const bool fits = (r == 2 || (r == 3 && call.rank == 4)) && rows.shape[r - 1] == width &&
                    rows.shape[r - 2] == call.tokens && (r == 2 || rows.shape[0] == call.batches || rows.shape[0] == 1);
  require(fits, name, ": shape ", Shape{rows}, " must be ", PerToken{call, width});
  check_memory(name, rows, call.spec.table, call.device);
  check_unit_stride(name, rows);
}

void check_angles(const Call& call, const Args& args) {
  const Rope* rope = rotation(call.spec);
  const auto* rows = rope ? std::get_if<CosSinRows>(&rope->angles) : nullptr;
  const auto* cache = rope ? std::get_if<CosSinCache>(&rope->angles) : nullptr;
  if (rope && !rows)
    check_positions(call, args.positions);
  else
    refuse("positions", args.positions, "no stream makes angles from them");
  if (cache)
    check_cache(call, args.cos_sin_cache, rope->rotary_dim());
  else
    refuse("cos_sin_cache", args.cos_sin_cache, "no rope of the spec reads it");
  if (!rows) {
    refuse("cos", args.cos, "no rope of the spec reads rows");
    return refuse("sin", args.sin, "no rope of the spec reads rows");
  }
  check_rows(call, "cos", args.cos, *rows);
  check_rows(call, "sin", args.sin, *rows);
  require(args.cos.rank == args.sin.rank && args.cos.shape == args.sin.shape, "sin: shape ", Shape{args.sin},
          " must equal that of cos, ", Shape{args.cos});
  require(same_strides(args.cos, args.sin), "sin: strides ", Strides{args.sin}, " must equal those of cos, ",
          Strides{args.cos});
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

struct Extents {
  Extent in, out, weight;
};

Extents extents(const Stream& stream) { return {Extent(stream.in), Extent(stream.out), Extent(stream.weight)}; }

[[noreturn, gnu::cold]] void refuse_overlap(const char* written, const char* name) {
  throw_invalid(
      text(written, ": overlaps ", name, "; an output equals its own input exactly or is apart from every tensor"));
}

void check_apart(const char* written, const Extent& out, const char* name, const Extent& other) {
  if (may_overlap(out, other)) refuse_overlap(written, name);
}

void check_aliasing(const Spec& spec, const Args& args) {
  const auto all = streams(spec, args);
  const std::array extent{extents(all[0]), extents(all[1])};
  const Extent positions(args.positions), cache(args.cos_sin_cache), cos(args.cos), sin(args.sin);
  for (int i = 0; i < 2; ++i) {
    const Stream& stream = all[i];
    if (stream.spec.heads == 0) continue;
    const TensorView& written = stream.written();
    const Extent& out = stream.out ? extent[i].out : extent[i].in;
    const char* name = stream.written_name();
    require(!overlaps_itself(written), name, ": strides ", Strides{written}, " of shape ", Shape{written},
            " make elements overlap");
    if (!same_place(written, stream.in)) check_apart(name, out, stream.name, extent[i].in);
    for (int j = 0; j < 2; ++j) {
      if (j != i)
        check_apart(name, out, all[j].name, extent[j].in), check_apart(name, out, all[j].out_name, extent[j].out);
      check_apart(name, out, all[j].weight_name, extent[j].weight);
    }
    check_apart(name, out, "positions", positions);
    check_apart(name, out, "cos_sin_cache", cache);
    check_apart(name, out, "cos", cos);
    check_apart(name, out, "sin", sin);
  }
}

}  // namespace

[[gnu::hot]] void check(const Spec& spec, Device device, const Args& args) {
  Call call{spec, device};
  for (const Stream& stream : streams(spec, args)) check_stream(call, stream);
  check_angles(call, args);
  refuse_unused(args);
  check_aliasing(spec, args);
}

}  // namespace ropeline::ops::qk_norm_rope
