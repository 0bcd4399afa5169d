#include "reference/rotation.h"

#include <cmath>

#include "reference/element.h"

namespace ropeline::reference {

void rotate(std::vector<float>& head, const Rope& rope, const std::vector<Turn>& turns, DType activation) {
  const auto R = [&](float x) { return round_to(activation, x); };
  const int pairs = static_cast<int>(turns.size());
  for (int i = 0; i < pairs; ++i) {
    const int first = rope.offset + (rope.style == Style::neox ? i : 2 * i);
    const int second = rope.offset + (rope.style == Style::neox ? i + pairs : 2 * i + 1);
    const float a = head[first], b = head[second];
    const auto [c1, s1, c2, s2] = turns[i];
    if (rope.rounding == RopeRounding::products) {
      head[first] = R(R(a * c1) - R(b * s1));
      head[second] = R(R(b * c2) + R(a * s2));
    } else {
      head[first] = std::fma(a, c1, -(b * s1));
      head[second] = std::fma(b, c2, a * s2);
    }
  }
}

}  // namespace ropeline::reference
