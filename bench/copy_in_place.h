#pragma once

#include <cstddef>

namespace ropeline::bench {

/// Reads every byte and writes it back where it was, in the widest vectors of this CPU: what an in-place op costs that
/// computes nothing.
void copy_in_place(std::byte* data, std::size_t bytes);

}  // namespace ropeline::bench
