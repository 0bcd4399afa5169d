#pragma once

#include "ropeline/plan_of.h"
#include "ropeline/spec.h"
#include "ropeline/tensor.h"

namespace ropeline {

/// The tensors of one call. T = tokens, B = batches, H = heads, D = head_dim, RD = rotary_dim, P = table rows.
///
/// Streams are [T, H, D] or [B, T, H, D], all of one rank, with any stride for B, T and H and unit stride in D; packed
/// qkv is three views of one buffer. Positions and table rows may leave B out (or have stride 0), and are then shared
/// by the batches. Zero tokens are legal.
///
/// Aliasing: an output equals its input exactly (base, strides) or shares no byte with any other tensor of the call.
struct ROPELINE_API Args {
  TensorView q = {}, k = {}, v = {};              ///< activation dtype; read, and written when no output is given
  TensorView q_out = {}, k_out = {}, v_out = {};  ///< absent = in place
  TensorView q_weight = {}, k_weight = {}, v_weight = {};  ///< [D], weight dtype, unit stride
  TensorView q_bias = {}, k_bias = {}, v_bias = {};        ///< as the weights
  TensorView q_scale = {}, k_scale = {}, v_scale = {};     ///< [T or 1, H or 1, D or 1], fp32
  TensorView positions = {};                               ///< [T] or [B, T]; needed for Frequencies and CosSinCache
  TensorView cos_sin_cache = {};                           ///< [P, RD], table dtype, unit stride in RD
  TensorView cos = {}, sin = {};  ///< rows: [T, RD/2 or RD] or [B, T, ...], table dtype, unit stride, equal strides
};

/// Can this device run this spec? Compiles nothing, never throws. For a GPU, yes means that there is a driver and that
/// device, sm_80 or newer; whether a compiler or a cached kernel can be had is for `prepare` to find out.
ROPELINE_API Support supports(const Spec& spec, Device device) noexcept;

/// The plan of a layer.
using Plan = PlanOf<Spec, Args>;

/// Makes the plan. Throws Error{invalid_argument} for a malformed spec and Error{unsupported} with the reason that
/// `supports` gives. Once per layer shape, not per call.
///
/// For a GPU it compiles the kernels or finds them in a cache (docs/jit.md), and uploads them; jit::Error says what is
/// missing. It neither changes the current context nor disturbs a capture of other streams; while a capture forbids the
/// default stream, it throws before anything is begun.
ROPELINE_API Plan prepare(const Spec& spec, Device device);

using PrepareResult = PrepareResultOf<Plan>;

/// As `prepare`, but never throws: for integrations, which fall back with one warning.
ROPELINE_API PrepareResult try_prepare(const Spec& spec, Device device) noexcept;

}  // namespace ropeline
