#include "ops/kv_cast_launch.h"

#include <algorithm>

#include "error.h"

namespace ropeline::ops::kv_cast {
namespace {

/// Up to so many lanes a multiprocessor the form with the least code is quicker.
constexpr int kFewLanes = 512;

KvCastStream from_token(KvCastStream stream, DType input, std::int64_t first) {
  const auto bytes = first * stream.in_token * static_cast<std::int64_t>(size_of(input));
  stream.in = static_cast<const char*>(stream.in) + bytes;
  return stream;
}

}  // namespace

std::array<kernel::KvCastVariant, 2> variants(const KvCastSpec& spec) {
  const kernel::KvCastVariant many{.heads = spec.heads,
                                   .head_dim = spec.head_dim,
                                   .input = spec.input == DType::fp16 ? kernel::Element::fp16 : kernel::Element::bf16,
                                   .wide_slots = spec.slots == DType::int64,
                                   .run = spec.alignment / 2};
  kernel::KvCastVariant few = many;
  few.run = std::min(few.run, 2), few.apart = true;
  return {few, many};
}

int choose(const std::array<kernel::KvCastVariant, 2>& variants, std::int64_t tokens, int multiprocessors) {
  return 2 * tokens * lanes_of(variants[0]) > std::int64_t{kFewLanes} * multiprocessors;
}

std::string kernel_name(const kernel::KvCastVariant& v) {
  return text("ropeline::kernel::kv_cast<ropeline::kernel::KvCastVariant{.heads=", v.heads, ",.head_dim=", v.head_dim,
              ",.input=ropeline::kernel::Element::", v.input == kernel::Element::fp16 ? "fp16" : "bf16",
              ",.wide_slots=", v.wide_slots ? "true" : "false", ",.run=", v.run, ",.apart=", v.apart ? "true" : "false",
              "}>");
}

KvCastParams tokens_of(KvCastParams params, const KvCastSpec& spec, std::int64_t first, std::int64_t count) {
  const auto bytes = first * params.loc_token * static_cast<std::int64_t>(size_of(spec.slots));
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
