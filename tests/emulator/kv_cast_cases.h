#pragma once

#include <array>

#include "kernels/shared/kv_cast_variant.h"
#include "ropeline/kv_cast.h"

namespace ropeline::emulator {

/// The variants of kv_cast that are built for the emulator and compiled for every architecture: each run and dtype,
/// tokens of less than a block, of whole blocks, and of blocks with a tail, both forms.
inline constexpr std::array<kernel::KvCastVariant, 13> kKvCastCases = {{
    {8, 128, kernel::Element::bf16, true, 8},
    {8, 128, kernel::Element::bf16, true, 2, true},
    {3, 24, kernel::Element::fp16, false, 1, true},
    {2, 64, kernel::Element::fp16, false, 8},
    {2, 64, kernel::Element::bf16, true, 8},
    {2, 64, kernel::Element::bf16, true, 2, true},
    {3, 40, kernel::Element::bf16, false, 4},
    {1, 8, kernel::Element::bf16, true, 8},
    {1, 16, kernel::Element::fp16, true, 2},
    {5, 24, kernel::Element::bf16, true, 1},
    {4, 512, kernel::Element::fp16, false, 8},
    {33, 64, kernel::Element::bf16, true, 8},
    {2, 72, kernel::Element::fp16, true, 1},
}};

/// A spec that has that variant.
inline KvCastSpec spec_of(const kernel::KvCastVariant& v) {
  return {.heads = v.heads,
          .head_dim = v.head_dim,
          .input = v.input == kernel::Element::bf16 ? DType::bf16 : DType::fp16,
          .loc = v.wide_loc ? DType::int64 : DType::int32,
          .alignment = v.apart && v.run == 2 ? 16 : 2 * v.run};
}

}  // namespace ropeline::emulator
