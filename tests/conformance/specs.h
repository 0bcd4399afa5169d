#pragma once

#include <vector>

#include "conformance/random.h"
#include "conformance/recipe.h"

namespace ropeline::conformance {

/// Frequencies of every scaling kind for a rotary_dim, the plain ones first, explicit ones last.
std::vector<Frequencies> every_frequencies(int rotary_dim);

/// The 16 roundings: four of the norm, two of the rope, two of the table.
std::vector<Rounding> every_rounding();

/// Rows of every layout.
std::vector<Angles> every_rows(int rotary_dim);

/// A spec of the step language that this version runs, every choice at random.
Spec random_spec(Random& random);

/// A call of such a spec, its layout, values and positions at random too.
Recipe random_recipe(Random& random);

/// Random numbers of one case of a property, from the seed of the run.
Random random_of(std::uint64_t run, int index);

}  // namespace ropeline::conformance
