#include "ops/kv_cast_launch.h"

#include <algorithm>

#include "error.h"

namespace ropeline::ops::kv_cast {
namespace {

/// Up to so many lanes a multiprocessor the form with the least code is quicker.
constexpr int kFewLanes = 512;

/// Elements of 16 bytes.
constexpr int kWidestRun = 8;

std::uint64_t address_of(const void* at) { return reinterpret_cast<std::uintptr_t>(at); }

kernel::KvCastVariant variant(const KvCastSpec& spec, int run, bool apart) {
  return {.heads = spec.heads,
          .head_dim = spec.head_dim,
          .input = spec.input == DType::fp16 ? kernel::Element::fp16 : kernel::Element::bf16,
          .wide_loc = spec.loc == DType::int64,
          .run = run,
          .apart = apart};
}

// The first two variants take every legal call, so there is one.
int longest(std::span<const kernel::KvCastVariant> variants, int run, bool apart) {
  int best = apart ? 0 : 1;
  for (int i = 2; i < static_cast<int>(variants.size()); ++i)
    if (const auto& v = variants[i]; v.apart == apart && v.run <= run && v.run > variants[best].run) best = i;
  return best;
}

KvCastStream from_token(KvCastStream stream, DType input, std::int64_t first) {
  const auto bytes = first * stream.in_token * static_cast<std::int64_t>(size_of(input));
  stream.in = static_cast<const char*>(stream.in) + bytes;
  return stream;
}

}  // namespace

std::vector<kernel::KvCastVariant> variants(const KvCastSpec& spec) {
  std::vector<kernel::KvCastVariant> all;
  const auto add = [&](int run, bool apart) {
    const kernel::KvCastVariant v = variant(spec, run, apart);
    if (std::ranges::find(all, v) == all.end()) all.push_back(v);
  };
  for (const int run : {spec.alignment / 2, kWidestRun}) add(std::min(run, 2), true), add(run, false);
  return all;
}

int alignment_of(const KvCastSpec& spec, const KvCastParams& params) {
  std::uint64_t all = 16;  // its lowest bit is the answer
  for (const KvCastStream& s : params.stream) {
    const std::int64_t in = (params.tokens > 1 ? s.in_token : 0) | (spec.heads > 1 ? s.in_head : 0);
    const std::int64_t out = s.cache_loc | (spec.heads > 1 ? s.cache_head : 0);
    all |= address_of(s.in) | 2 * (address_of(s.cache) | static_cast<std::uint64_t>(in | out));
  }
  return static_cast<int>(all & -all);
}

int choose(const KvCastSpec& spec, std::span<const kernel::KvCastVariant> variants, const KvCastParams& params,
           int multiprocessors) {
  const int run = alignment_of(spec, params) / 2, few = longest(variants, run, true);
  const bool many = 2 * params.tokens * lanes_of(variants[few]) > std::int64_t{kFewLanes} * multiprocessors;
  return many ? longest(variants, run, false) : few;
}

std::string kernel_name(const kernel::KvCastVariant& v) {
  return text("ropeline::kernel::kv_cast<ropeline::kernel::KvCastVariant{.heads=", v.heads, ",.head_dim=", v.head_dim,
              ",.input=ropeline::kernel::Element::", v.input == kernel::Element::fp16 ? "fp16" : "bf16",
              ",.wide_loc=", v.wide_loc ? "true" : "false", ",.run=", v.run, ",.apart=", v.apart ? "true" : "false",
              "}>");
}

KvCastParams tokens_of(KvCastParams params, const KvCastSpec& spec, std::int64_t first, std::int64_t count) {
  const auto bytes = first * params.loc_token * static_cast<std::int64_t>(size_of(spec.loc));
  for (KvCastStream& stream : params.stream) stream = from_token(stream, spec.input, first);
  params.loc = static_cast<const char*>(params.loc) + bytes;
  params.tokens = count;
  return params;
}

// Blocks of whole warps where a token has more lanes than a block, cut evenly; otherwise of whole tokens.
Launch launch(const kernel::KvCastVariant& variant, std::int64_t tokens) {
  const int lanes = lanes_of(variant), parts = kernel::divide_up(lanes, kernel::kKvCastThreads);
  const int x = parts == 1 ? lanes : kernel::divide_up(lanes, 32 * parts) * 32;
  const int y = parts == 1 ? kernel::kKvCastThreads / lanes : 1;
  return {.grid = {static_cast<unsigned>((tokens + y - 1) / y), static_cast<unsigned>(parts), variant.apart ? 2u : 1u},
          .block = {static_cast<unsigned>(x), static_cast<unsigned>(y), 1}};
}

}  // namespace ropeline::ops::kv_cast
