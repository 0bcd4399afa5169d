#pragma once

#include <string>

#include "conformance/call.h"

namespace ropeline::conformance {

/// Compares two finished runs of one call: every written element bit for bit (NaN as NaN), and every other byte of the
/// memory. Empty when they are the same; otherwise the first difference with dtype, batch, token, head, element, both
/// values and their distance in units of the last place, how many differ, the spec and the origin of the call.
std::string difference(const Call& expected, const Call& got);

/// Whether the two memories hold the same bytes, outputs and NaNs included.
bool same_bytes(const Call& a, const Call& b);

}  // namespace ropeline::conformance
