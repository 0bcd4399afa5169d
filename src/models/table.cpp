#include "models/table.h"

#include <array>

#include "models/families/families.h"

namespace ropeline::models {
namespace {

std::vector<std::string> list(const Names& names) {
  std::vector<std::string> list;
  for (const char* name : names)
    if (name) list.emplace_back(name);
  return list;
}

}  // namespace

Family family_of(const Row& row) {
  return {row.name, list(row.model_types), list(row.attention_classes), row.q_norm, row.k_norm, row.rope_function};
}

std::span<const Row* const> table() {
  static constexpr std::array rows = {&gemma3, &qwen3, &qwen3_moe};
  return rows;
}

}  // namespace ropeline::models
