// The launch rule.

#include "ops/qk_norm_rope_launch.h"

#include <algorithm>
#include <cstdint>

#include "ops/qk_norm_rope_variant.h"

namespace ropeline::ops::qk_norm_rope {
namespace {

using kernel::Form;
using kernel::Source;
using kernel::Variant;

std::uintptr_t address(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

bool is_in_place(const StreamParams& p) {
  return p.in == p.out && p.in_token == p.out_token && p.in_head == p.out_head;
}

Blocks blocks_of(const Variant& v, int wanted_warps) {
  const int warps = v.form.packed ? v.form.threads / kernel::kWarp : block_warps(v, wanted_warps);
  return {.threads = static_cast<unsigned>(warps * kernel::kWarp),
          .tokens = static_cast<unsigned>(v.form.tokens),
          .of_token = static_cast<unsigned>(kernel::divide_up(warps_of_token(v), warps)),
          .packed = v.form.packed};
}

Launch launch_in(const Blocks& blocks, int variant, const QkNormRopeParams& params) {
  const auto of_tokens = (static_cast<unsigned>(params.tokens) + blocks.tokens - 1) / blocks.tokens;
  const auto batches = static_cast<unsigned>(params.batches);
  Launch launch{
      .variant = variant, .grid = {of_tokens, blocks.of_token, batches}, .block = {blocks.threads, blocks.tokens, 1}};
  if (blocks.packed) std::swap(launch.grid[0], launch.grid[1]);
  return launch;
}

}  // namespace

// --- what a form takes -------------------------------------------------------------------------------------------

PackedRow::PackedRow(const Variant& v)
    : q_heads(v.q.heads), k_heads(v.k.heads), head_dim(v.head_dim), size(size_of(v.activation)) {}

// A token's heads side by side, tokens forward and not too far apart, and so for both streams together.
[[gnu::hot]] bool PackedRow::is_row(const QkNormRopeParams& p) const {
  const StreamParams& first = q_heads ? p.q : p.k;
  const std::int64_t row = first.in_token;
  const bool forward =
      p.tokens == 1 || (row >= 0 && row * size <= INT32_MAX && (!p.positions || p.position_token == 1));
  if (p.batches != 1 || p.tokens > most_packed_tokens || !forward || !is_in_place(first)) return false;
  const auto dense = [&](const StreamParams& s, int heads) { return s.in_head == head_dim || heads == 1; };
  if (q_heads == 0 || k_heads == 0) return dense(first, q_heads + k_heads);
  const bool joined = address(p.k.in) - address(p.q.in) == static_cast<std::uintptr_t>(q_heads * head_dim * size);
  return joined && is_in_place(p.k) && (p.tokens == 1 || p.k.in_token == row) && dense(p.q, q_heads) &&
         dense(p.k, k_heads);
}

WideReads::WideReads(const Variant& v) : table_size(size_of(v.table)) {
  if (v.form.access == 1) return;
  weight = std::min(16, v.form.access * size_of(v.weight));
  if (v.source == Source::none || v.source == Source::turns) return;
  const bool twice = v.source == Source::repeat || (v.source == Source::full && v.interleaved);
  const int elements = v.form.run / (v.interleaved ? 2 : 1) * (twice ? 2 : 1);
  table = std::min(16, elements * size_of(v.table));
}

// In the lowest bits of all together: divisions would take longer than the rest of the rule.
[[gnu::hot]] bool WideReads::are_aligned(const QkNormRopeParams& p) const {
  const auto strides = static_cast<std::uint64_t>(p.table_row * table_size | p.table_batch * table_size);
  const std::uint64_t weights = address(p.q.weight) | address(p.k.weight);
  const std::uint64_t tables = address(p.cos) | address(p.sin) | strides;
  const auto low = [](std::int64_t bytes) { return static_cast<std::uint64_t>(bytes - 1); };
  return ((weights & low(weight)) | (tables & low(table))) == 0;
}

bool fits(const Variant& v, const QkNormRopeParams& p) {
  if (p.batches > 1 && !v.form.batched) return false;
  return (!v.form.packed || PackedRow(v).is_row(p)) && WideReads(v).are_aligned(p);
}

Launch launch_of(const Variant& v, int wanted_warps, const QkNormRopeParams& params) {
  return launch_in(blocks_of(v, wanted_warps), 0, params);
}

// --- the rule ----------------------------------------------------------------------------------------------------

// Makes the choices of a plan. A bound is a number of lanes: threads that one head each would take with runs of four,
// for each multiprocessor.
class LaunchRule::Choosing {
 public:
  Choosing(std::span<const Variant> variants, int multiprocessors)
      : variants_(variants), multiprocessors_(multiprocessors) {}

  // The first variant that is right, or -1.
  int find(bool (*is)(const Form&)) const {
    const auto at = std::ranges::find_if(variants_, is, &Variant::form);
    return at == variants_.end() ? -1 : static_cast<int>(at - variants_.begin());
  }

  Choice always(int variant, int warps) const { return choice(INT64_MAX, variant, warps); }
  Choice up_to(std::int64_t lanes, int variant, int warps) const {
    const Variant& v = variants_.back();
    const std::int64_t of_token = std::int64_t{v.q.heads + v.k.heads} * v.head_dim / 8;
    return choice(lanes * multiprocessors_ / of_token, variant, warps);
  }

 private:
  // `warps` of a block, as far as they divide a token; a packed form brings its own.
  Choice choice(std::int64_t most_tokens, int variant, int warps) const {
    const Variant& v = variants_[variant];
    return {most_tokens, variant, blocks_of(v, warps), WideReads(v)};
  }

  std::span<const Variant> variants_;
  std::int64_t multiprocessors_;
};

// Bounds measured on an H100 and an H200 of 132 multiprocessors (docs/kernel.md). A call that is not packed, of a spec
// whose small forms are, has the form with two heads, and element by element where that is the least code.
LaunchRule::LaunchRule(std::span<const Variant> variants, int multiprocessors)
    : row_(variants.back()),
      packed_(variants.front().form.packed),
      last_(Choosing(variants, multiprocessors).always(static_cast<int>(variants.size()) - 1, 4)) {
  const Choosing choose(variants, multiprocessors);
  const int least_code = choose.find([](const Form& f) { return f.run == 2 && f.access == 2 && f.heads == 1; });
  const int one_head = choose.find([](const Form& f) { return f.run == 4 && f.heads == 1; });
  const int two_heads = choose.find([](const Form& f) { return f.heads == 2; });
  const int two_strided = choose.find([](const Form& f) { return f.heads == 2 && !f.packed; });
  const int one_wave = choose.find([](const Form& f) { return f.heads == 6; });
  const int few = two_heads >= 0 && variants[two_heads].form.run == 2 ? 768 : 80;
  if (least_code >= 0) all_forms_.push_back(choose.up_to(few, least_code, 4));
  if (least_code >= 0) strided_.push_back(choose.up_to(few, last_.variant, 4));
  if (one_head >= 0) all_forms_.push_back(choose.up_to(768, one_head, 6));
  if (one_wave >= 0) all_forms_.push_back(choose.up_to(3072, two_heads, 3));
  if (one_wave >= 0) all_forms_.push_back(choose.up_to(4608, one_wave, 3));
  for (Choices* choices : {&all_forms_, &strided_, &batched_}) {
    const int two = choices == &all_forms_ ? two_heads : two_strided;
    if (two >= 0) choices->push_back(choose.up_to(12288, two, 3));
    choices->push_back(two >= 0 ? choose.always(two, 12) : last_);
  }
}

const LaunchRule::Choices& LaunchRule::choices_for(const QkNormRopeParams& params) const {
  if (params.batches > 1) return batched_;
  return !packed_ || row_.is_row(params) ? all_forms_ : strided_;
}

[[gnu::hot]] Launch LaunchRule::operator()(const QkNormRopeParams& params) const {
  const Choice* choice = choices_for(params).data();
  while (params.tokens * params.batches > choice->most_tokens) ++choice;
  if (!choice->reads.are_aligned(params)) choice = &last_;
  return launch_in(choice->blocks, choice->variant, params);
}

}  // namespace ropeline::ops::qk_norm_rope
