#pragma once

#include <string>
#include <vector>

#include "kernels/shared/phase.h"
#include "kernels/shared/qk_norm_rope_variant.h"
#include "ropeline/spec.h"

/// What the CUDA kernel is compiled for. No device in sight: a spec has the same variants everywhere.
namespace ropeline::ops::qk_norm_rope {

/// The variants that a plan holds, all of one spec and differing in their form: aligned ones for few, more and many
/// tokens, and as the last one the form that loads element by element, which takes every legal call. The spec is one
/// that `unsupported` accepts.
std::vector<kernel::Variant> variants(const Spec& spec);

/// The variant as the template argument that names its kernel in kernels/ops/qk_norm_rope.cuh: what NVRTC is asked for.
/// Fields at their default are left out; equal variants have equal names.
std::string kernel_name(const kernel::Variant& variant);

/// The program that `kernel_name` is an expression of: a path in the embedded kernels.
inline constexpr const char* kernel_file = "kernels/ops/qk_norm_rope.cuh";

/// The table of frequencies that the kernel reads, padded as it expects; empty when no angle is made from a position.
std::vector<Turns> frequency_table(const Spec& spec);

/// The factor of cos and sin made from positions; 1 when there is none.
float attention_factor(const Spec& spec);

/// Warps of a block: the divisor of a token's warps that is nearest to the wanted number, or that number itself when
/// none of a fitting size divides (the form then has a `tail`).
int block_warps(const kernel::Variant& variant, int wanted);

}  // namespace ropeline::ops::qk_norm_rope
