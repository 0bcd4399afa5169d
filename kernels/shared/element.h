#pragma once

// The element types of a kernel's tensors, and the small arithmetic that shapes code at compile time. Kernel and host
// read the same text.

#include "kernels/shared/portable.h"

namespace ropeline::kernel {

enum class Element : unsigned char { fp32, fp16, bf16 };

ROPELINE_FN constexpr int size_of(Element e) { return e == Element::fp32 ? 4 : 2; }

ROPELINE_FN constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

ROPELINE_FN constexpr int power_of_two_from(int n) {
  int power = 1;
  while (power < n) power *= 2;
  return power;
}

ROPELINE_FN constexpr int least(int a, int b) { return a < b ? a : b; }

}  // namespace ropeline::kernel
