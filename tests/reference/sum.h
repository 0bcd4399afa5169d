#pragma once

#include <utility>
#include <vector>

#include "ropeline/spec.h"

/// docs/numerics.md, section 2: in which order the elements of a head are added.
namespace ropeline::reference {

/// The (lo, hi) element indices whose values are joined first, one entry for each leaf of the tree.
using Pairs = std::vector<std::pair<int, int>>;

/// The pairs of a stream: rotary partners first under a NeoX rope, else halves of the head. `rope` may be null.
Pairs pairs_of(int head_dim, const Rope* rope);

/// The complete binary tree over neighbours, padded with +0 to a power of two.
float tree(std::vector<float> leaves);

/// The tree of lo + hi.
float sum(const std::vector<float>& x, const Pairs& pairs);

/// The tree of fma(hi, hi, lo*lo).
float sum_of_squares(const std::vector<float>& x, const Pairs& pairs);

}  // namespace ropeline::reference
