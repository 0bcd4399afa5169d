#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "ropeline/plan.h"

namespace ropeline::cpu {

/// A tensor that owns its memory: rows with gaps, everything filled with values, gaps too.
struct Storage {
  std::vector<std::uint32_t> words;  // aligned for every dtype
  TensorView view;
};

/// A spec and a call of it, drawn from everything that this version runs, with odd shapes, strides and values preferred
/// over usual ones. The same seed gives the same call.
class RandomCall {
 public:
  explicit RandomCall(std::uint32_t seed);

  const Spec& spec() const { return spec_; }

  /// Views of memory of their own: two runs cannot meet.
  struct Run {
    std::vector<Storage> storage;
    Args args;
  };
  Run make() const;

 private:
  std::uint32_t seed_;
  Spec spec_;
};

}  // namespace ropeline::cpu
