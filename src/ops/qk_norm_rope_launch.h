#pragma once

#include <array>
#include <span>
#include <vector>

#include "kernels/shared/qk_norm_rope_params.h"
#include "kernels/shared/qk_norm_rope_variant.h"

/// From a checked call to launches of the CUDA kernel. Numbers only: nothing here knows a device.
namespace ropeline::ops::qk_norm_rope {

/// Batches that one launch takes (the limit of grid.z). A call with more is cut by `batches_of`.
inline constexpr std::int64_t most_batches = 65535;

/// Tokens of a packed form: the limit of grid.y.
inline constexpr std::int64_t most_packed_tokens = 65535;

/// What a launch is besides the argument (qk_norm_rope_argument.h): which of the plan's variants, its grid and block.
struct Launch {
  int variant;
  std::array<unsigned, 3> grid, block;
};

/// How the blocks of a variant cover a call.
struct Blocks {
  unsigned threads, tokens;  // a block is threads x tokens
  unsigned of_token;
  bool packed;
};

/// What a packed form wants: q and k as one row of heads for each token.
struct PackedRow {
  explicit PackedRow(const kernel::Variant& variant);
  bool is_row(const QkNormRopeParams& params) const;

  int q_heads, k_heads, head_dim;
  std::int64_t size;  // bytes of an element
};

/// Bytes that a form reads in one access of weights, and of tables, which have no alignment by contract.
struct WideReads {
  explicit WideReads(const kernel::Variant& variant);
  bool are_aligned(const QkNormRopeParams& params) const;

  std::int64_t weight = 1, table = 1;
  std::int64_t table_size;  // of an element
};

/// Which variant of a plan takes a call, and in which blocks: few tokens get the form with the least code, many the
/// form with the most bytes in flight, and what the aligned forms cannot take gets the last one. What does not depend
/// on the call is worked out once.
class LaunchRule {
 public:
  /// Of the variants of one spec.
  LaunchRule(std::span<const kernel::Variant> variants, int multiprocessors);

  /// Of params that are merged and have at most `most_batches` batches and 2^31 - 1 tokens, neither zero.
  Launch operator()(const QkNormRopeParams& params) const;

 private:
  struct Choice {
    std::int64_t most_tokens;  // of all batches together
    int variant;
    Blocks blocks;
    WideReads reads;
  };
  using Choices = std::vector<Choice>;  // the first with enough tokens is taken; the last has enough
  class Choosing;

  const Choices& choices_for(const QkNormRopeParams& params) const;

  PackedRow row_;
  bool packed_;                            // the forms for few tokens are
  Choice last_;                            // for what is not aligned
  Choices all_forms_, strided_, batched_;  // for calls that every form takes, that are no packed row, that have batches
};

/// The launch of one given variant, by which tests reach every form at every size.
Launch launch_of(const kernel::Variant& variant, int wanted_warps, const QkNormRopeParams& params);

/// Whether a form can take the call: packed forms want a packed row, some forms have no batches, and aligned ones read
/// weights and tables in wide accesses.
bool fits(const kernel::Variant& variant, const QkNormRopeParams& params);

}  // namespace ropeline::ops::qk_norm_rope
