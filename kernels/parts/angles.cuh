#pragma once

// docs/numerics.md, section 5: cos and sin of the pairs that a lane rotates.
//
// A lane's rotary pairs come in spans of neighbours: the pairs of a run under NeoX, the neighbours within the lo and
// within the hi elements of a run when interleaved. What a span needs is read early (`fetch`) and turned into angles
// while the heads are on their way (`angles_of`).

#include "kernels/core/arithmetic.cuh"
#include "kernels/core/run.cuh"
#include "kernels/core/warp.cuh"
#include "kernels/parts/layout.cuh"
#include "kernels/parts/position.cuh"
#include "kernels/ptx/arithmetic.cuh"

namespace ropeline::kernel {

template <class C>
struct Spans {
  enum : int { pairs = C::interleaved ? C::run / 2 : C::run, in_run = C::run / pairs, count = C::runs * in_run };
  enum : int { needed = count * pairs, rotary = C::rotary_dim / 2 };
  enum : bool { some_do_not_turn = C::rotary_dim != C::head_dim || 2 * C::runs * C::lanes * C::run != C::head_dim };
  /// What makes the first element of a pair differs from what makes the second one.
  enum : int { ways = C::source() == Source::full ? 2 : 1 };
};

/// The rotary pair with which span n begins.
template <class C>
ROPELINE_DEVICE int first_pair(int lane, int n) {
  constexpr int pairs = Spans<C>::pairs, in_run = Spans<C>::in_run;
  return (n / in_run * C::lanes + lane) * pairs + n % in_run * (C::head_dim / 4);
}

template <class C>
struct Angles {
  SinCos of[Spans<C>::ways][Spans<C>::needed];
};

// --- from positions: all lanes of a warp share one token, so that each computes only a few of its angles

template <class C>
struct Frequencies {
  enum : int { needed = Spans<C>::needed, each = power_of_two_from(divide_up(C::rotary_dim / 2, kWarp)) };
  enum : bool { shared = each < needed && Spans<C>::pairs % each == 0 };
  enum : int { computed = shared ? each : needed };
  Turns turns[computed];
};

/// Two entries an access where a span has two; the table is ours, dense and padded with zeros.
template <int n>
ROPELINE_DEVICE void load_turns(Turns* turns, const Turns* from) {
  uint32_t word[4];
#pragma unroll
  for (int i = 0; i < n; i += 2) {
    if constexpr (n == 1) ptx::load_constant_8(word, from);
    if constexpr (n > 1) ptx::load_constant_16(word, from + i);
    turns[i] = {word[0], static_cast<int32_t>(word[1])};
    if constexpr (n > 1) turns[i + 1] = {word[2], static_cast<int32_t>(word[3])};
  }
}

template <class C>
ROPELINE_DEVICE void fetch(Frequencies<C>& frequencies, const QkNormRopeLaunch& p, int lane) {
  constexpr int each = Frequencies<C>::each, pairs = Spans<C>::pairs;
  if constexpr (Frequencies<C>::shared) {
    load_turns<each>(frequencies.turns, p.turns + threadIdx.x % kWarp * each);
  } else {
#pragma unroll
    for (int n = 0; n < Spans<C>::count; ++n)
      load_turns<pairs>(frequencies.turns + n * pairs, p.turns + first_pair<C>(lane, n));
  }
}

/// sin_cos of kernels/shared/phase.h, with its two decisions in one instruction each.
ROPELINE_DEVICE SinCos sin_cos_of(uint32_t u) {
  const SinCos folded = folded_sin_cos(u);
  const uint32_t v = u + 0x60000000u;
  const float cosine = ptx::select_common(v, 0x40000000u, folded.cos, folded.sin);
  const float sine = ptx::select_common(v, 0x40000000u, folded.sin, folded.cos);
  return {ptx::with_sign(sine, u), float_of(bits_of(cosine) ^ (v & 0x80000000u))};
}

/// Rounding of the table, then direction.
template <RopeStep rope, Element type>
ROPELINE_DEVICE SinCos finished(SinCos x) {
  if constexpr (rope.table_rounded) {
    float pair[2] = {x.sin, x.cos};
    round<type>(pair);
    x = {pair[0], pair[1]};
  }
  return {rope.inverse ? -x.sin : x.sin, x.cos};
}

/// Where lanes share, pair n of a head is computed by lane n / each.
template <RopeStep rope, class C>
ROPELINE_DEVICE void find_angles(Angles<C>& angles, const Frequencies<C>& frequencies, Position position, float factor,
                                 int lane) {
  constexpr int each = Frequencies<C>::each, pairs = Spans<C>::pairs, computed = Frequencies<C>::computed;
  SinCos own[computed];
#pragma unroll
  for (int i = 0; i < computed; ++i) {
    SinCos x = sin_cos_of(phase_of(position.value, frequencies.turns[i]));
    if constexpr (C::factor) x = {mul(x.sin, factor), mul(x.cos, factor)};
    own[i] = finished<rope, C::activation()>(x);
  }
#pragma unroll
  for (int i = 0; i < Spans<C>::needed; ++i) {
    SinCos& angle = angles.of[0][i];
    angle = own[i % computed];
    if constexpr (Frequencies<C>::shared) {
      const int from = first_pair<C>(lane, i / pairs) / each + i % pairs / each;
      angle.cos = from_lane(angle.cos, from), angle.sin = from_lane(angle.sin, from);
    }
  }
}

// --- from tables

/// `twice`: two elements of the row for each pair, side by side. `apart`: two, RD/2 elements apart.
template <class C>
struct TableRows {
  enum : bool { twice = C::source() == Source::repeat || (C::source() == Source::full && C::interleaved) };
  enum : bool { apart = C::source() == Source::full && !C::interleaved };
  enum : int { of_pair = twice ? 2 : 1, width = Spans<C>::pairs * of_pair, pieces = apart ? 2 : 1 };
  Run<C::table(), width> cos[Spans<C>::count][pieces], sin[Spans<C>::count][pieces];
};

/// The elements of a row that one span reads. Spans that do not turn, or only in part, read nothing beyond the row.
template <class C, int width>
ROPELINE_DEVICE void load_span(Run<C::table(), width>& run, const char* row, int first, bool valid) {
  constexpr int of_pair = TableRows<C>::of_pair, size = size_of(C::table());
  constexpr bool all_turn = !Spans<C>::some_do_not_turn;
  const char* at = row + first * of_pair * size;
  if constexpr (C::access == 1) {
#pragma unroll
    for (int i = 0; i < width; ++i)
      if (valid && (all_turn || first + i / of_pair < Spans<C>::rotary))
        load_element<Memory::constant>(run, i, at + i * size);
  } else if (valid && (all_turn || first < Spans<C>::rotary)) {
    load<Memory::constant>(run, at);
  }
}

template <class C>
ROPELINE_DEVICE void fetch(TableRows<C>& rows, const QkNormRopeLaunch& p, const Place& at, Position position,
                           int lane) {
  const char *cos = p.cos, *sin = p.sin;
  if constexpr (C::source() == Source::cache) {
    const auto row = static_cast<uint32_t>(position.value);
    cos = step(cos, row, p.table_row), sin = step(sin, row, p.table_row);
  } else {
    cos = row_of<C::batched>(at, cos, p.table_row, p.table_batch);
    sin = row_of<C::batched>(at, sin, p.table_row, p.table_batch);
  }
#pragma unroll
  for (int n = 0; n < Spans<C>::count; ++n)
#pragma unroll
    for (int piece = 0; piece < TableRows<C>::pieces; ++piece) {
      const int shift = piece * (C::rotary_dim / 2) * size_of(C::table()), first = first_pair<C>(lane, n);
      load_span<C>(rows.cos[n][piece], cos + shift, first, position.valid);
      load_span<C>(rows.sin[n][piece], sin + shift, first, position.valid);
    }
}

template <RopeStep rope, class C>
ROPELINE_DEVICE void find_angles(Angles<C>& angles, const TableRows<C>& rows) {
  constexpr int pairs = Spans<C>::pairs, of_pair = TableRows<C>::of_pair;
#pragma unroll
  for (int way = 0; way < Spans<C>::ways; ++way)
#pragma unroll
    for (int i = 0; i < Spans<C>::needed; ++i) {
      const int piece = way * (TableRows<C>::pieces - 1), at = i % pairs * of_pair + way * (of_pair - 1);
      const auto &cos = rows.cos[i / pairs][piece], &sin = rows.sin[i / pairs][piece];
      angles.of[way][i] = finished<rope, C::activation()>({element(sin, at), element(cos, at)});
    }
}

}  // namespace ropeline::kernel
