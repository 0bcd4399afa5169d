#pragma once

// A spec as the loops read it: no variants, no strings, every choice made. All targets share it.

#include <cstdint>
#include <vector>

#include "kernels/shared/phase.h"
#include "ropeline/spec.h"

namespace ropeline::cpu {

inline constexpr int kMaxDim = 512;            // head_dim
inline constexpr int kMaxPairs = kMaxDim / 2;  // of a sum, and of a rotation
inline constexpr int kSlack = 64;              // floats that a vector loop may touch beyond the end of a scratch array

/// Pairs (lo + i, hi + i), i < count, of a norm's sum. The runs of a stream, one after the other, are the order in
/// which the contract sums (docs/numerics.md, sums).
struct PairRun {
  int lo, hi, count;
};

/// How the values of a table row belong to the pairs of a rotation (n pairs).
enum class TableRead : std::uint8_t {
  consecutive,       ///< value i is for pair i
  alternate,         ///< value 2i is for pair i
  split_halves,      ///< value i is for the first, i + n for the second element of pair i
  split_neighbours,  ///< value 2i is for the first, 2i + 1 for the second element of pair i
};

enum class AngleSource : std::uint8_t { phase, cache, rows };

/// Where cos and sin of a token come from and what happens to them before they are used.
struct AngleLoop {
  AngleSource source = AngleSource::phase;
  TableRead read = TableRead::consecutive;
  int pairs = 0;
  bool rounded = false;  // R(cos), R(sin)
  bool inverse = false;  // sin negated
  bool is_bf16 = false;  // cos and sin are bf16 numbers
  float factor = 1;      // phase only
  std::vector<std::uint32_t> turns_hi =
      {};  // phase only: Turns of each pair, split into two arrays, kSlack zeros behind
  std::vector<std::int32_t> turns_lo = {};

  bool split() const { return read == TableRead::split_halves || read == TableRead::split_neighbours; }
  bool operator==(const AngleLoop&) const = default;
};

struct NormLoop {
  NormRounding rounding = NormRounding::none;
  bool weighted = false;
  float eps = 0;
  float unit = 1;  // 1/D for a mean, 1 for a sum: the root is that of fma(sum, unit, eps) in both cases
  float weight_offset = 0;
  std::vector<PairRun> runs = {};
};

struct RopeLoop {
  Style style = Style::neox;
  int offset = 0;
  int pairs = 0;
  bool products = false;
  int angles = 0;  // index into Lowered::angles
};

struct StreamLoop {
  int heads = 0;
  bool has_norm = false, has_rope = false;
  NormLoop norm = {};
  RopeLoop rope = {};
};

struct Lowered {
  int head_dim = 0;
  DType activation = DType::bf16, weight = DType::bf16, table = DType::fp32, positions = DType::int64;
  StreamLoop q = {}, k = {};
  std::vector<AngleLoop> angles = {};  // one, when q and k turn alike; two otherwise; none without a rotation
};

/// The spec has passed the checks of the op.
Lowered lowered(const Spec& spec);

}  // namespace ropeline::cpu
