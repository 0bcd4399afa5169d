#include "reference/sum.h"

#include <bit>
#include <cmath>

namespace ropeline::reference {

Pairs pairs_of(int head_dim, const Rope* rope) {
  Pairs pairs;
  const bool partners = rope && rope->style == Style::neox;
  const int first = partners ? rope->offset : 0;
  const int count = partners ? rope->rotary_dim() : 0;
  for (int i = 0; i < count / 2; ++i) pairs.emplace_back(first + i, first + i + count / 2);

  std::vector<int> others;
  for (int i = 0; i < head_dim; ++i)
    if (i < first || i >= first + count) others.push_back(i);
  const std::size_t half = others.size() / 2;
  for (std::size_t j = 0; j < half; ++j) pairs.emplace_back(others[j], others[j + half]);
  return pairs;
}

float tree(std::vector<float> leaves) {
  leaves.resize(std::bit_ceil(leaves.size()), 0.0f);
  while (leaves.size() > 1) {
    for (std::size_t n = 0; n < leaves.size() / 2; ++n) leaves[n] = leaves[2 * n] + leaves[2 * n + 1];
    leaves.resize(leaves.size() / 2);
  }
  return leaves[0];
}

float sum(const std::vector<float>& x, const Pairs& pairs) {
  std::vector<float> leaves;
  for (const auto& [lo, hi] : pairs) leaves.push_back(x[lo] + x[hi]);
  return tree(std::move(leaves));
}

float sum_of_squares(const std::vector<float>& x, const Pairs& pairs) {
  std::vector<float> leaves;
  for (const auto& [lo, hi] : pairs) leaves.push_back(std::fma(x[hi], x[hi], x[lo] * x[lo]));
  return tree(std::move(leaves));
}

}  // namespace ropeline::reference
