// The launch rule and the kernel's argument.

#include "ops/qk_norm_rope_launch.h"

#include <algorithm>
#include <cstdint>

#include "ops/qk_norm_rope.h"
#include "ops/qk_norm_rope_variant.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

using kernel::Source;
using kernel::Variant;

// --- the argument
// ------------------------------------------------------------------------------------------------------

kernel::StreamLaunch stream(const StreamParams& p, const StreamSpec& spec, int size) {
  const Norm* norm = spec.norm();
  return {.in = static_cast<const char*>(p.in),
          .out = static_cast<char*>(p.out),
          .in_token = p.in_token * size,
          .in_head = p.in_head * size,
          .out_token = p.out_token * size,
          .out_head = p.out_head * size,
          .in_batch = p.in_batch * size,
          .out_batch = p.out_batch * size,
          .eps = norm ? norm->eps : 0,
          .offset = norm ? norm->weight_offset : 0};
}

kernel::QkNormRopeLaunch argument(const Spec& spec, const QkNormRopeParams& p, const LaunchAngles& angles) {
  const auto size = static_cast<int>(size_of(spec.activation));
  const auto table = static_cast<std::int64_t>(size_of(spec.table));
  const auto position = static_cast<std::int64_t>(size_of(spec.positions));
  const StreamParams& first = spec.q.heads ? p.q : p.k;
  const Norm* norm = (spec.q.heads ? spec.q : spec.k).norm();
  return {.positions = static_cast<const char*>(p.positions),
          .turns = angles.turns,
          .weight = {static_cast<const char*>(p.q.weight), static_cast<const char*>(p.k.weight)},
          .packed = static_cast<char*>(first.out),
          .packed_token = static_cast<std::uint32_t>(first.in_token * size),
          .packed_eps = norm ? norm->eps : 0,
          .packed_offset = norm ? norm->weight_offset : 0,
          .factor = angles.factor,
          .tokens = p.tokens,
          .stream = {stream(p.q, spec.q, size), stream(p.k, spec.k, size)},
          .position_token = p.position_token * position,
          .position_batch = p.position_batch * position,
          .cos = static_cast<const char*>(p.cos),
          .sin = static_cast<const char*>(p.sin),
          .table_row = p.table_row * table,
          .table_batch = p.table_batch * table,
          .table_rows = p.table_rows};
}

// --- packed
// ------------------------------------------------------------------------------------------------------------

bool in_place(const StreamParams& p) { return p.in == p.out && p.in_token == p.out_token && p.in_head == p.out_head; }

// A token's heads side by side, tokens forward and not too far apart, and so for both streams together.
bool is_packed(const Variant& v, const QkNormRopeParams& p) {
  const StreamParams& first = v.q.heads ? p.q : p.k;
  const std::int64_t size = size_of(v.activation), row = first.in_token;
  const bool forward =
      p.tokens == 1 || (row >= 0 && row * size <= INT32_MAX && (!p.positions || p.position_token == 1));
  if (p.batches != 1 || p.tokens > most_packed_tokens || !forward || !in_place(first)) return false;
  if (v.q.heads == 0 || v.k.heads == 0) return first.in_head == v.head_dim || v.q.heads + v.k.heads == 1;
  const auto address = [](const void* at) { return reinterpret_cast<std::uintptr_t>(at); };
  const bool joined = address(p.k.in) - address(p.q.in) == static_cast<std::uintptr_t>(v.q.heads * v.head_dim * size);
  const auto dense = [&](const StreamParams& s, int heads) { return s.in_head == v.head_dim || heads == 1; };
  return joined && in_place(p.k) && (p.tokens == 1 || p.k.in_token == row) && dense(p.q, v.q.heads) &&
         dense(p.k, v.k.heads);
}

bool takes_strides(const Variant& v, const QkNormRopeParams& p) {
  return (p.batches == 1 || v.form.batched) && (!v.form.packed || is_packed(v, p));
}

// --- the rule
// ----------------------------------------------------------------------------------------------------------

// The first variant that is right, or -1.
template <class Is>
int find(std::span<const Variant> variants, Is is) {
  const auto at = std::find_if(variants.begin(), variants.end(), [&](const Variant& v) { return is(v.form); });
  return at == variants.end() ? -1 : static_cast<int>(at - variants.begin());
}

struct Choice {
  int variant;
  int warps;  // of a block, as far as they divide a token; a packed form brings its own
};

// Bounds measured on an H100 of 132 multiprocessors (docs/kernel.md). `lanes`: threads that one head each would
// take with runs of four. A call that is not packed, of a spec whose small forms are, has the form with two heads, and
// element by element where that is the least code.
Choice choose(std::span<const Variant> variants, const QkNormRopeParams& p, std::int64_t sm) {
  const Variant& v = variants.back();
  const std::int64_t heads = p.tokens * p.batches * (v.q.heads + v.k.heads), lanes = heads * v.head_dim / 8;
  const auto taken = [&](int i) { return i >= 0 && takes_strides(variants[i], p); };
  const int least_code = find(variants, [](auto& f) { return f.run == 2 && f.access == 2 && f.heads == 1; });
  const int one_head = find(variants, [](auto& f) { return f.run == 4 && f.heads == 1; });
  const int one_wave = find(variants, [](auto& f) { return f.heads == 6; });
  const Choice two_heads{find(variants, [](auto& f) { return f.heads == 2; }), lanes > 12288 * sm ? 12 : 3};
  const bool few = heads * v.head_dim / 4 <= 160 * sm || (one_head < 0 && lanes <= 768 * sm);
  if (p.batches > 1) return two_heads;
  if (few && taken(least_code)) return {least_code, 4};
  if (few && least_code >= 0) return {static_cast<int>(variants.size()) - 1, 4};
  if (lanes <= 768 * sm && taken(one_head)) return {one_head, 6};
  if (lanes > 3072 * sm && lanes <= 4608 * sm && taken(one_wave)) return {one_wave, 3};
  return two_heads;
}

// --- alignment
// ---------------------------------------------------------------------------------------------------------

// Of a power of two: a division would take longer than the rest of the rule.
bool multiple(std::int64_t x, std::int64_t bytes) { return (x & (bytes - 1)) == 0; }
bool multiple(const void* p, std::int64_t bytes) { return multiple(reinterpret_cast<std::intptr_t>(p), bytes); }

// Bytes of a table that one access reads.
int table_access(const Variant& v) {
  const bool twice = v.source == Source::repeat || (v.source == Source::full && v.interleaved);
  const int elements = v.form.run / (v.interleaved ? 2 : 1) * (twice ? 2 : 1);
  return std::min(16, elements * size_of(v.table));
}

// --- batches
// -----------------------------------------------------------------------------------------------------------

void merge(std::int64_t& token, std::int64_t batch, std::int64_t tokens, bool& legal) {
  if (tokens == 1)
    token = batch;
  else
    legal = legal && batch == token * tokens;
}

const void* advance(const void* p, std::int64_t elements, DType type) {
  return static_cast<const char*>(p) + elements * static_cast<std::int64_t>(size_of(type));
}

StreamParams batches_of(StreamParams stream, std::int64_t first, DType type) {
  stream.in = advance(stream.in, first * stream.in_batch, type);
  stream.out = const_cast<void*>(advance(stream.out, first * stream.out_batch, type));
  return stream;
}

}  // namespace

QkNormRopeParams merged(QkNormRopeParams params) {
  if (params.batches == 1) return params;
  QkNormRopeParams p = params;
  bool legal = p.batches <= INT32_MAX / p.tokens;
  for (StreamParams* s : {&p.q, &p.k}) {
    merge(s->in_token, s->in_batch, p.tokens, legal);
    merge(s->out_token, s->out_batch, p.tokens, legal);
  }
  merge(p.position_token, p.position_batch, p.tokens, legal);
  const bool rows = p.cos && p.table_rows == 0;  // the rows of a cache are chosen by position alone
  if (rows) merge(p.table_row, p.table_batch, p.tokens, legal);
  if (!legal) return params;
  p.tokens *= p.batches;
  p.batches = 1;
  return p;
}

QkNormRopeParams batches_of(QkNormRopeParams p, const Spec& spec, std::int64_t first, std::int64_t count) {
  p.q = batches_of(p.q, first, spec.activation);
  p.k = batches_of(p.k, first, spec.activation);
  p.positions = advance(p.positions, first * p.position_batch, spec.positions);
  p.cos = advance(p.cos, first * p.table_batch, spec.table);
  p.sin = advance(p.sin, first * p.table_batch, spec.table);
  p.batches = count;
  return p;
}

[[gnu::hot]] bool fits(const Variant& v, const QkNormRopeParams& p) {
  if (v.form.access == 1) return true;
  if (!takes_strides(v, p)) return false;
  const int weight = std::min(16, v.form.access * size_of(v.weight));
  if (!multiple(p.q.weight, weight) || !multiple(p.k.weight, weight)) return false;
  if (v.source == Source::none || v.source == Source::turns) return true;
  const int bytes = table_access(v);
  return multiple(p.cos, bytes) && multiple(p.sin, bytes) && multiple(p.table_row * size_of(v.table), bytes) &&
         multiple(p.table_batch * size_of(v.table), bytes);
}

[[gnu::hot]] Launch launch_of(const Spec& spec, const Variant& v, int wanted_warps, const QkNormRopeParams& params,
                              const LaunchAngles& angles) {
  const int block = v.form.packed ? v.form.threads / kernel::kWarp : block_warps(v, wanted_warps);
  const auto tokens = static_cast<unsigned>(v.form.tokens);
  const auto of_tokens = (static_cast<unsigned>(params.tokens) + tokens - 1) / tokens;
  const auto of_token = static_cast<unsigned>(kernel::divide_up(warps_of_token(v), block));
  Launch launch{.block = {static_cast<unsigned>(block * kernel::kWarp), tokens, 1},
                .argument = argument(spec, params, angles)};
  launch.grid = {of_tokens, of_token, static_cast<unsigned>(params.batches)};
  if (v.form.packed) std::swap(launch.grid[0], launch.grid[1]);
  return launch;
}

[[gnu::hot]] Launch launch(const Spec& spec, std::span<const Variant> variants, const QkNormRopeParams& params,
                           const LaunchAngles& angles, int multiprocessors) {
  const int last = static_cast<int>(variants.size()) - 1;
  Choice choice = last > 0 ? choose(variants, params, multiprocessors) : Choice{last, 4};
  if (!fits(variants[choice.variant], params)) choice = {last, 4};
  Launch result = launch_of(spec, variants[choice.variant], choice.warps, params, angles);
  result.variant = choice.variant;
  return result;
}

}  // namespace ropeline::ops::qk_norm_rope
