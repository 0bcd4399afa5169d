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

/// What turns one pair: c1, s1 make its first element, c2, s2 its second. They differ for `full` rows only.
struct Turn {
  float c1, s1, c2, s2;
};

template <class C>
struct Spans {
  enum : int { pairs = C::interleaved ? C::run / 2 : C::run };
  enum : int { in_run = C::run / pairs, count = C::runs * in_run };
  enum : int { rotary = C::rotary_dim / 2 };
  enum : int { reach = C::runs * C::lanes * C::run };  // pairs from the first to the last lane
  enum : bool { some_do_not_turn = C::rotary_dim != C::head_dim || 2 * reach != C::head_dim };

  int lane;

  /// The rotary pair with which span n begins.
  ROPELINE_DEVICE int first(int n) const {
    return (n / in_run * C::lanes + lane) * pairs + n % in_run * (C::head_dim / 4);
  }
  ROPELINE_DEVICE bool turns(int pair) const { return !some_do_not_turn || pair < rotary; }
};

// --- from positions: all lanes of a warp share one token, so that each computes only a few of its angles
// ------------------

template <class C>
struct Shares {
  enum : int { needed = Spans<C>::count * Spans<C>::pairs };
  enum : int { each = power_of_two_from(divide_up(C::rotary_dim / 2, kWarp)) };
  enum : bool { used = each < needed && Spans<C>::pairs % each == 0 };
  enum : int { computed = used ? each : needed };
};

template <class C>
struct Frequencies {
  Turns turns[Shares<C>::computed];
};

/// Two entries an access where a span has two; the table is ours, dense and padded with zeros.
template <int n>
ROPELINE_DEVICE void load_turns(Turns* turns, const Turns* from) {
#pragma unroll
  for (int i = 0; i < n; i += 2) {
    if constexpr (n == 1) {
      const ptx::Words<2> one = ptx::load_constant_8(from);
      turns[0] = {one.word[0], static_cast<int32_t>(one.word[1])};
    } else {
      const ptx::Words<4> two = ptx::load_constant_16(from + i);
      turns[i] = {two.word[0], static_cast<int32_t>(two.word[1])};
      turns[i + 1] = {two.word[2], static_cast<int32_t>(two.word[3])};
    }
  }
}

template <class C>
ROPELINE_DEVICE Frequencies<C> fetch_frequencies(const QkNormRopeLaunch& p, Spans<C> spans) {
  Frequencies<C> frequencies;
  constexpr int each = Shares<C>::each, pairs = Spans<C>::pairs;
  if constexpr (Shares<C>::used) {
    load_turns<each>(frequencies.turns, p.turns + threadIdx.x % kWarp * each);
  } else {
#pragma unroll
    for (int n = 0; n < Spans<C>::count; ++n)
      load_turns<pairs>(frequencies.turns + n * pairs, p.turns + spans.first(n));
  }
  return frequencies;
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
template <class C, RopeStep rope>
ROPELINE_DEVICE SinCos finished(SinCos x) {
  if constexpr (rope.table_rounded) {
    float pair[2] = {x.sin, x.cos};
    round<C::activation()>(pair);
    x = {pair[0], pair[1]};
  }
  return {rope.inverse ? -x.sin : x.sin, x.cos};
}

template <class C, RopeStep rope>
ROPELINE_DEVICE SinCos angle_at(int32_t position, Turns turns, float factor) {
  SinCos x = sin_cos_of(phase_of(position, turns));
  if constexpr (C::factor) x = {mul(x.sin, factor), mul(x.cos, factor)};
  return finished<C, rope>(x);
}

/// Pair n of a head was computed by lane n / each.
template <class C>
ROPELINE_DEVICE void distribute(Turn (&turn)[Shares<C>::needed], const SinCos (&own)[Shares<C>::computed],
                                Spans<C> spans) {
  constexpr int each = Shares<C>::each, pairs = Spans<C>::pairs;
#pragma unroll
  for (int i = 0; i < Shares<C>::needed; ++i) {
    const int lane = spans.first(i / pairs) / each + i % pairs / each;
    const float c = from_lane(own[i % each].cos, lane), s = from_lane(own[i % each].sin, lane);
    turn[i] = {c, s, c, s};
  }
}

template <class C, RopeStep rope>
ROPELINE_DEVICE void angles_of(Turn (&turn)[Shares<C>::needed], const Frequencies<C>& frequencies, Position position,
                               float factor, Spans<C> spans) {
  constexpr int computed = Shares<C>::computed;
  SinCos own[computed];
#pragma unroll
  for (int i = 0; i < computed; ++i) own[i] = angle_at<C, rope>(position.value, frequencies.turns[i], factor);
  if constexpr (Shares<C>::used) {
    distribute<C>(turn, own, spans);
  } else {
#pragma unroll
    for (int i = 0; i < computed; ++i) turn[i] = {own[i].cos, own[i].sin, own[i].cos, own[i].sin};
  }
}

// --- from tables
// ----------------------------------------------------------------------------------------------------------

/// `twice`: two elements of the row for each pair, side by side. `apart`: two, RD/2 elements apart.
template <class C>
struct TableRows {
  enum : bool { twice = C::source() == Source::repeat || (C::source() == Source::full && C::interleaved) };
  enum : bool { apart = C::source() == Source::full && !C::interleaved };
  enum : int { width = Spans<C>::pairs * (twice ? 2 : 1), pieces = apart ? 2 : 1 };
  Run<C::table(), width> cos[Spans<C>::count][pieces], sin[Spans<C>::count][pieces];
};

template <class C>
ROPELINE_DEVICE const char* table_row(const QkNormRopeLaunch& p, const Place& at, Position position,
                                      const char* table) {
  if constexpr (C::source() == Source::cache)
    return step(table, static_cast<uint32_t>(position.value), p.table_row);
  else
    return at.template row<C>(table, p.table_row, p.table_batch);
}

/// The elements of a row that one span reads. Spans that do not turn, or only in part, read nothing beyond the row.
template <class C, int width>
ROPELINE_DEVICE void load_span(Run<C::table(), width>& run, const char* row, int first_pair, Spans<C> spans,
                               bool valid) {
  constexpr int step = width / Spans<C>::pairs;
  const char* at = row + first_pair * step * size_of(C::table());
  if constexpr (C::access == 1) {
#pragma unroll
    for (int i = 0; i < width; ++i)
      if (valid && spans.turns(first_pair + i / step))
        load_element<Memory::constant>(run, i, at + i * size_of(C::table()));
  } else if (valid && spans.turns(first_pair)) {
    load<Memory::constant, width>(run, at);
  }
}

template <class C>
ROPELINE_DEVICE TableRows<C> fetch_rows(const QkNormRopeLaunch& p, const Place& at, Position position, Spans<C> spans) {
  TableRows<C> rows;
  const char *cos = table_row<C>(p, at, position, p.cos), *sin = table_row<C>(p, at, position, p.sin);
#pragma unroll
  for (int n = 0; n < Spans<C>::count; ++n)
#pragma unroll
    for (int piece = 0; piece < TableRows<C>::pieces; ++piece) {
      const int shift = piece * (C::rotary_dim / 2) * size_of(C::table());
      load_span<C>(rows.cos[n][piece], cos + shift, spans.first(n), spans, position.valid);
      load_span<C>(rows.sin[n][piece], sin + shift, spans.first(n), spans, position.valid);
    }
  return rows;
}

template <class C, RopeStep rope>
ROPELINE_DEVICE void angles_of(Turn (&turn)[Shares<C>::needed], const TableRows<C>& rows) {
  constexpr int pairs = Spans<C>::pairs, step = TableRows<C>::twice ? 2 : 1;
#pragma unroll
  for (int i = 0; i < Shares<C>::needed; ++i) {
    const auto &cos = rows.cos[i / pairs], &sin = rows.sin[i / pairs];
    const int at = i % pairs * step;
    const SinCos first = finished<C, rope>({element(sin[0], at), element(cos[0], at)});
    turn[i] = {first.cos, first.sin, first.cos, first.sin};
    if constexpr (C::source() == Source::full) {
      constexpr int piece = TableRows<C>::pieces - 1;
      const int other = TableRows<C>::twice ? at + 1 : at;
      const SinCos second = finished<C, rope>({element(sin[piece], other), element(cos[piece], other)});
      turn[i].c2 = second.cos, turn[i].s2 = second.sin;
    }
  }
}

}  // namespace ropeline::kernel
