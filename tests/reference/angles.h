#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ropeline/plan.h"

/// docs/numerics.md, section 5: cos and sin of each pair of the rotated slice.
namespace ropeline::reference {

/// What turns one pair (a, b): c1, s1 make a', c2, s2 make b'. They differ only for full-width rows and axes.
struct Turn {
  float c1, s1, c2, s2;
};

/// Where one rope of one call takes its angles from.
class Turns {
 public:
  Turns(const Spec& spec, const Rope& rope, const Args& args);

  /// One entry for each pair; nothing when the token's position is outside int32 or outside the table.
  std::optional<std::vector<Turn>> at(std::int64_t batch, std::int64_t token, int head) const;

 private:
  struct CosSin {
    float cos, sin;
  };
  std::optional<std::int64_t> position(int element, std::int64_t batch, std::int64_t token) const;
  std::optional<CosSin> element(int element, std::int64_t batch, std::int64_t token, int head) const;
  CosSin row_element(const CosSinRows& rows, int element, std::int64_t batch, std::int64_t token, int head) const;

  const Spec& spec_;
  const Rope& rope_;
  const Args& args_;
  std::vector<std::uint64_t> frequencies_;  // turns per position * 2^64
  float factor_ = 1;
};

}  // namespace ropeline::reference
