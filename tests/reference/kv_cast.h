#pragma once

#include <cstdint>

#include "ropeline/kv_cast.h"

/// What kv_cast means, in plain scalar loops that follow docs/numerics.md, section 7, in double precision.
namespace ropeline::reference {

/// Runs one call, which must be what `KvCastPlan::run` would accept. Tokens in order: of two that share a row the last
/// one stays.
void run(const KvCastSpec& spec, const KvCastArgs& args);

/// The number that a code of FP8 E4M3 stands for; NaN for 0x7f and 0xff.
double e4m3_value(std::uint8_t code);

/// The code of the nearest number, the even one of two; the largest for what lies beyond it; 0x7f for NaN.
std::uint8_t e4m3_code(float x);

}  // namespace ropeline::reference
