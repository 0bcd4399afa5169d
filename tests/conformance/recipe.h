#pragma once

#include <cstdint>

#include "conformance/call.h"
#include "conformance/values.h"

namespace ropeline::conformance {

/// How the rows of a stream lie in memory.
enum class Layout {
  dense,        ///< [T, H, D] without gaps
  packed,       ///< q, k and a v that the op must not touch, side by side in one row for each token
  head_packed,  ///< q, k and v of one head side by side, [T, H, 3, D]; q and k have as many heads
  head_gaps,    ///< poison behind each head
  token_gaps,   ///< poison behind each token
  head_major,   ///< [H, T, D] in memory
  token_outer,  ///< [T, B, H, D] in memory
  backward,     ///< tokens from the highest address down
};

/// Everything that makes a call, as a plain value. `make` turns it into memory.
struct Recipe {
  Spec spec;
  std::int64_t batches = 0;  ///< 0: tensors of rank 3
  std::int64_t tokens = 3;
  Layout layout = Layout::dense;
  bool in_place = true;
  Layout out_layout = Layout::dense;  ///< of the outputs when not in place; never packed
  int shift = 0;                      ///< bytes by which every base misses a multiple of 64, cut to whole elements
  Values values = Values::ordinary;
  Values table_values = Values::ordinary;  ///< of cos, sin and weights
  Positions positions = Positions::counting;
  bool shared_angles = false;  ///< positions and rows without B
  int position_stride = 1;
  std::int64_t table_rows = 64;
  std::uint64_t seed = 1;
  std::byte poison{0xff};
};

/// The call of a recipe: memory filled with poison, inputs with the values that the recipe names. Deterministic.
Call make(const Recipe& recipe);

/// The same recipe in words, to find a failure again.
std::string describe(const Recipe& recipe);

}  // namespace ropeline::conformance
