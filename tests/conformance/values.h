#pragma once

#include "conformance/random.h"
#include "ropeline/tensor.h"

namespace ropeline::conformance {

/// What the elements of a tensor look like.
enum class Values {
  ordinary,  ///< about standard normal, each row with a magnitude of its own
  special,   ///< rows of NaN, Inf, zeros of both signs, subnormals, values whose squares overflow or vanish, and
             ///< ordinary ones
};

/// Fills every row (the last dimension) of a float tensor.
void fill(const TensorView& view, Values values, Random& random);

/// The bits of a float dtype for a number, at an element offset.
void put(const TensorView& view, std::int64_t offset, float x);

/// Which positions the tokens have.
enum class Positions {
  counting,  ///< from a small start upward, as in a prefill
  table,     ///< random rows of the table, or below 4096 without one
  far,       ///< random over the whole signed 32-bit range
  edges,     ///< 0, 1, -1, 131071, 1048575, the ends of 32 bits, rows just outside the table
  wide,      ///< int64 beyond 32 bits among legal ones, low halves of which look legal
};

/// Fills positions of any rank and stride; `rows` is the table's row count, 0 without a table.
void fill_positions(const TensorView& view, Positions positions, std::int64_t rows, Random& random);

}  // namespace ropeline::conformance
