// Which blocks a stream consists of, and which loop takes a group of its heads through them.

#if defined(ROPELINE_CPU_SIMD_STREAMS_INL_H_) == defined(ROPELINE_SIMD_TOGGLE)
#ifdef ROPELINE_CPU_SIMD_STREAMS_INL_H_
#undef ROPELINE_CPU_SIMD_STREAMS_INL_H_
#else
#define ROPELINE_CPU_SIMD_STREAMS_INL_H_
#endif

#include "cpu/simd/groups-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ropeline::cpu::HWY_NAMESPACE {

#if HWY_HAVE_SCALABLE
inline constexpr int kMinBlock = 8;
#else
inline constexpr int kMinBlock = 2 * kMaxLanes;
#endif
inline constexpr int kMaxBlocks = kMaxDim / kMinBlock;

struct RotatedPair {
  BlockPair at;
  int angle;
};

struct RotatedBlock {
  int at, angle;
};

/// The blocks of a head, by what happens to them.
struct BlockList {
  BlockPair squares[kMaxBlocks / 2];  // in the order of the sum
  RotatedPair pairs[kMaxBlocks / 2];  // NeoX
  RotatedBlock rotated[kMaxBlocks];   // interleaved
  int plain[kMaxBlocks];              // normalised only
  int square_count = 0, pair_count = 0, rotated_count = 0, plain_count = 0;
};

/// True if every piece of the stream is whole blocks.
inline bool fits_blocks(const Lowered& op, const StreamLoop& stream) {
  const auto whole = [](int count) { return count % block_size() == 0; };
  const RopeLoop& rope = stream.rope;
  if (!stream.has_norm && !stream.has_rope) return false;
  if (stream.has_rope && op.angles[static_cast<std::size_t>(rope.angles)].split()) return false;
  if (stream.has_rope && rope.style == Style::neox && !whole(rope.pairs)) return false;
  if (stream.has_rope && rope.style == Style::interleaved && !(whole(2 * rope.pairs) && whole(rope.offset)))
    return false;
  return std::all_of(stream.norm.runs.begin(), stream.norm.runs.end(),
                     [&](const PairRun& run) { return whole(run.count); });
}

inline void list_neox(const StreamLoop& stream, BlockList& list) {
  const RopeLoop& rope = stream.rope;
  for (int i = 0; i < rope.pairs; i += block_size()) {
    list.pairs[list.pair_count++] = {{rope.offset + i, rope.offset + rope.pairs + i}, i};
  }
  for (int i = list.pair_count; i < list.square_count; ++i) {  // the sum takes the rotary partners first
    list.plain[list.plain_count++] = list.squares[i].lo;
    list.plain[list.plain_count++] = list.squares[i].hi;
  }
}

inline void list_blocks(const StreamLoop& stream, int head_dim, BlockList& list) {
  const int begin = stream.has_rope ? stream.rope.offset : head_dim;
  const int end = stream.has_rope ? begin + 2 * stream.rope.pairs : head_dim;
  for (int i = begin; i < end; i += block_size()) list.rotated[list.rotated_count++] = {i, (i - begin) / 2};
  if (!stream.has_norm) return;
  for (int i = 0; i < begin; i += block_size()) list.plain[list.plain_count++] = i;
  for (int i = end; i < head_dim; i += block_size()) list.plain[list.plain_count++] = i;
}

inline BlockList block_list(const StreamLoop& stream, int head_dim) {
  BlockList list;
  for (const PairRun& run : stream.norm.runs) {
    for (int i = 0; i < run.count; i += block_size()) list.squares[list.square_count++] = {run.lo + i, run.hi + i};
  }
  if (stream.has_rope && stream.rope.style == Style::neox) {
    list_neox(stream, list);
  } else {
    list_blocks(stream, head_dim, list);
  }
  return list;
}

/// Arranges w' block by block, wherever the blocks begin.
inline void arrange_weights(const BlockList& list, const float* in, float* out) {
  const auto block = [&](int at) { arrange(in + at, block_size(), out + at); };
  for (int i = 0; i < list.pair_count; ++i) block(list.pairs[i].at.lo), block(list.pairs[i].at.hi);
  for (int i = 0; i < list.rotated_count; ++i) block(list.rotated[i].at);
  for (int i = 0; i < list.plain_count; ++i) block(list.plain[i]);
}

// --- one group -------------------------------------------------------------------------------------------------------

/// One vector of partial sums a row.
template <class E, int width>
void group_squares(const BlockList& list, const typename E::Raw* in, std::int64_t stride, int rows, float* partial) {
  for (int r = 0; r < rows; ++r) {
    hn::Store(row_squares<E, width>(in + r * stride, list.squares, list.square_count), F(), partial + r * lanes());
  }
}

template <class E, int width = 1>
void group_squares_of_any_width(const BlockList& list, const typename E::Raw* in, std::int64_t stride, int rows,
                                float* partial) {
  if constexpr (width < kMaxBlocks / 2) {
    if (list.square_count > width) {
      return group_squares_of_any_width<E, 2 * width>(list, in, stride, rows, partial);
    }
  }
  group_squares<E, width>(list, in, stride, rows, partial);
}

/// One inverse root a row. `inv` has kSlack floats to spare.
template <class E>
void group_inverse_roots(const NormLoop& norm, const BlockList& list, const typename E::Raw* in, std::int64_t stride,
                         int rows, float* inv) {
  HWY_ALIGN float partial[kGroupRows * kMaxLanes];
  group_squares_of_any_width<E>(list, in, stride, rows, partial);
  merge_rows(rows, partial, inv);
  inverse_roots(rows, norm.unit, norm.eps, inv);
  if (norm.rounding != NormRounding::factor) return;
  for (int i = 0; i < rows; i += lanes()) {
    hn::StoreU(Elements<E>::round(hn::LoadU(F(), inv + i)), F(), inv + i);
  }
}

template <class Raw>
using GroupLoop = void (*)(const BlockList& list, const RowGroup<Raw>& group);

template <class E, NormForm norm, RopeForm rope>
void run_group(const BlockList& list, const RowGroup<typename E::Raw>& g) {
  for (int i = 0; i < list.pair_count; ++i) run_neox_pair<E, norm, rope>(g, list.pairs[i].at, list.pairs[i].angle);
  for (int i = 0; i < list.rotated_count; ++i) run_block<E, norm, rope>(g, list.rotated[i].at, list.rotated[i].angle);
  if constexpr (norm != NormForm::absent) {
    for (int i = 0; i < list.plain_count; ++i) run_block<E, norm, RopeForm::absent>(g, list.plain[i], 0);
  }
}

template <class E, NormForm norm>
GroupLoop<typename E::Raw> loop_with_norm(const StreamLoop& stream) {
  if (!stream.has_rope) return run_group<E, norm, RopeForm::absent>;
  return stream.rope.products ? run_group<E, norm, RopeForm::products> : run_group<E, norm, RopeForm::end>;
}

/// The loop of a stream whose norm rounds.
template <class E>
GroupLoop<typename E::Raw> rounding_loop(const StreamLoop& stream) {
  if (stream.norm.rounding == NormRounding::end) return loop_with_norm<E, NormForm::end>(stream);
  return loop_with_norm<E, NormForm::inner>(stream);
}

/// fp32 has nothing to round: there all forms of a norm are one.
template <class E>
GroupLoop<typename E::Raw> group_loop(const StreamLoop& stream) {
  if (!stream.has_norm) return loop_with_norm<E, NormForm::absent>(stream);
  if constexpr (!std::is_same_v<E, Fp32>) {
    if (stream.norm.rounding != NormRounding::none) return rounding_loop<E>(stream);
  }
  return loop_with_norm<E, NormForm::plain>(stream);
}

/// The loop for groups of BoundedBf16, or null where the stream has none: the norm must round, for only then are the
/// factors of a rounded product bf16, and so must be cos and sin.
template <class E>
GroupLoop<typename E::Raw> bounded_loop(const Lowered& op, const StreamLoop& stream, const float* weights) {
  if constexpr (std::is_same_v<E, Bf16>) {
    if (!stream.has_norm || stream.norm.rounding == NormRounding::none) return nullptr;
    if (stream.has_rope && stream.rope.products && !op.angles[static_cast<std::size_t>(stream.rope.angles)].is_bf16) {
      return nullptr;
    }
    if (are_bounded(weights, op.head_dim)) return rounding_loop<BoundedBf16>(stream);
  }
  return nullptr;
}

}  // namespace ropeline::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
