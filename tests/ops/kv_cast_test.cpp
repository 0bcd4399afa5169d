// What a spec and a call of kv_cast may not be, word by word, and the geometry of a launch.

#include "ropeline/kv_cast.h"

#include <gtest/gtest.h>

#include <cstring>

#include "conformance/kv_cast_call.h"
#include "ops/kv_cast_launch.h"
#include "ropeline/error.h"

namespace ropeline {
namespace {

using conformance::KvCastCall;

struct BadSpec {
  KvCastSpec spec;
  const char* sentence;
};

TEST(KvCastSpecs, AreRefusedByPrepareTryPrepareAndSupportsWithOneSentence) {
  const BadSpec all[] = {
      {{.heads = 0, .head_dim = 64}, "heads: 0 is not from 1 to 8192"},
      {{.heads = 8193, .head_dim = 64}, "heads: 8193 is not from 1 to 8192"},
      {{.heads = 1, .head_dim = 60}, "head_dim: 60 must be a multiple of 8 from 8 to 512"},
      {{.heads = 1, .head_dim = 0}, "head_dim: 0 must be a multiple of 8 from 8 to 512"},
      {{.heads = 1, .head_dim = 64, .input = DType::fp32}, "input: fp32 must be bf16 or fp16"},
      {{.heads = 1, .head_dim = 64, .loc = DType::int8}, "loc: int8 must be int32 or int64"},
      {{.heads = 1, .head_dim = 64, .alignment = 1}, "alignment: 1 must be 2, 4, 8 or 16"},
  };
  for (const auto& [spec, sentence] : all) {
    EXPECT_EQ(supports(spec, Device::cpu()).reason, sentence);
    EXPECT_EQ(try_prepare(spec, Device::cpu()).reason, sentence);
    EXPECT_THROW(prepare(spec, Device::cpu()), Error);
  }
}

TEST(KvCastSpecs, ArePrintedWithoutDefaults) {
  EXPECT_EQ((KvCastSpec{.heads = 4, .head_dim = 128}).json(), R"({"heads":4,"head_dim":128})");
  EXPECT_EQ((KvCastSpec{1, 64, DType::fp16, DType::int32, 2}).json(),
            R"({"heads":1,"head_dim":64,"input":"fp16","loc":"int32","alignment":2})");
}

TEST(KvCastSpecs, AreReadFromWhatIsPrinted) {
  for (const KvCastSpec& spec : {KvCastSpec{.heads = 4, .head_dim = 128}, {1, 64, DType::fp16, DType::int32, 2}})
    EXPECT_EQ(KvCastSpec::from_json(spec.json()), spec) << spec.json();
  EXPECT_EQ(KvCastSpec::from_json("{}"), KvCastSpec{});
}

TEST(KvCastSpecs, AreReadOrRefusedWithTheFieldAndTheValue) {
  const char* const all[][2] = {
      {"[1", "spec: not JSON: [1"},
      {"[]", "spec: [] is not an object"},
      {R"({"q":{"heads":1}})", "q: unknown field; known are heads, head_dim, input, loc, alignment"},
      {R"({"heads":"4"})", R"(heads: "4" is not a 32-bit integer)"},
      {R"({"loc":"long"})", R"(loc: "long" is not one of fp32, fp16, bf16, fp8_e4m3, int8, int32, int64)"},
  };
  for (const auto& [json, sentence] : all) try {
      KvCastSpec::from_json(json);
      ADD_FAILURE() << "accepted: " << json;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_argument);
      EXPECT_STREQ(error.what(), sentence);
    }
}

struct Bad {
  const char* sentence;
  void (*spoil)(KvCastArgs&);
};

void shift(TensorView& view, int bytes) { view.data = static_cast<char*>(view.data) + bytes; }

const Bad kBadCalls[] = {
    {"k: missing", [](KvCastArgs& a) { a.k = {}; }},
    {"v: shape [19, 2, 56] must be [T, 2, 64]", [](KvCastArgs& a) { a.v.shape[2] = 56; }},
    {"v: shape [18, 2, 64] differs from k's [19, 2, 64]", [](KvCastArgs& a) { a.v.shape[0] = 18; }},
    {"k: dtype fp16 differs from the spec's bf16", [](KvCastArgs& a) { a.k.dtype = DType::fp16; }},
    {"k: is on cuda:0, the plan runs on cpu:scalar", [](KvCastArgs& a) { a.k.device = Device::cuda(); }},
    {"k: stride 2 of the last dimension must be 1", [](KvCastArgs& a) { a.k.strides[2] = 2; }},
    {"v: base is aligned to 8 bytes, the spec's alignment is 16", [](KvCastArgs& a) { shift(a.v, 8); }},
    {"k: stride 132 (264 bytes) of dimension 0 is not a multiple of the spec's alignment 16",
     [](KvCastArgs& a) { a.k.strides[0] = 132; }},
    {"k_cache: dtype int8 must be fp8_e4m3", [](KvCastArgs& a) { a.k_cache.dtype = DType::int8; }},
    {"k_cache: shape [40, 1, 64] must be [N, 2, 64]", [](KvCastArgs& a) { a.k_cache.shape[1] = 1; }},
    {"v_cache: shape [39, 2, 64] differs from k_cache's [40, 2, 64]", [](KvCastArgs& a) { a.v_cache.shape[0] = 39; }},
    {"v_cache: base is aligned to 4 bytes, half of the spec's alignment is 8",
     [](KvCastArgs& a) { shift(a.v_cache, 4); }},
    {"k_cache: strides [0, 64, 1] of shape [40, 2, 64] make elements overlap",
     [](KvCastArgs& a) { a.k_cache.strides[0] = 0; }},
    {"k_cache: overlaps v_cache; a cache is apart from every other tensor of the call",
     [](KvCastArgs& a) { a.v_cache.data = a.k_cache.data; }},
    {"v_cache: overlaps k; a cache is apart from every other tensor of the call",
     [](KvCastArgs& a) { a.v_cache.data = a.k.data; }},
    {"k_scale: missing", [](KvCastArgs& a) { a.k_scale = {}; }},
    {"v_scale: shape [2] must be [] or [1]", [](KvCastArgs& a) { a.v_scale.rank = 1, a.v_scale.shape[0] = 2; }},
    {"k_scale: dtype bf16 must be fp32", [](KvCastArgs& a) { a.k_scale.dtype = DType::bf16; }},
    {"loc: missing", [](KvCastArgs& a) { a.loc = {}; }},
    {"loc: shape [18] must be [19]", [](KvCastArgs& a) { a.loc.shape[0] = 18; }},
    {"loc: dtype int32 differs from the spec's int64", [](KvCastArgs& a) { a.loc.dtype = DType::int32; }},
    {"mult: 0 must be at least 1", [](KvCastArgs& a) { a.mult = 0; }},
    {"offset: -1 must be at least 0", [](KvCastArgs& a) { a.offset = -1; }},
};

std::string refusal(const KvCastCall& call) {
  try {
    prepare(call.spec, Device::cpu(CpuTarget::scalar)).run(call.args);
    return "accepted";
  } catch (const Error& error) {
    return error.kind() == ErrorKind::invalid_argument ? error.what() : "another kind";
  }
}

TEST(KvCastCalls, AreRefusedBeforeAnythingIsWritten) {
  for (const Bad& bad : kBadCalls) {
    const KvCastCall call = conformance::make({.spec = {.heads = 2, .head_dim = 64}});
    KvCastCall got = call;
    bad.spoil(got.args);
    EXPECT_EQ(refusal(got), bad.sentence);
    const auto before = call.memory.blocks(), after = got.memory.blocks();
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_EQ(std::memcmp(before[i].data, after[i].data, before[i].size), 0) << bad.sentence;
  }
}

/// Tensors of 8 heads of 128 that lie nowhere, every base and stride of 16 bytes.
KvCastParams params_of(std::int64_t tokens) {
  KvCastParams params{};
  params.tokens = tokens;
  for (KvCastStream& s : params.stream) {
    s.in = reinterpret_cast<void*>(0x100000), s.cache = reinterpret_cast<void*>(0x200000);
    s.in_token = s.cache_loc = 1024, s.in_head = s.cache_head = 128;
  }
  return params;
}

int chosen(const KvCastSpec& spec, const KvCastParams& params) {
  return ops::kv_cast::choose(spec, ops::kv_cast::variants(spec), params, 132);
}

TEST(KvCastLaunches, TakeTheFormForFewTokensUpToSomeLanesAMultiprocessor) {
  const KvCastSpec spec{.heads = 8, .head_dim = 128};
  const auto variants = ops::kv_cast::variants(spec);
  ASSERT_EQ(variants.size(), 2u);
  EXPECT_TRUE(variants[0].apart && variants[0].run == 2);
  EXPECT_TRUE(!variants[1].apart && variants[1].run == 8);
  EXPECT_EQ(chosen(spec, params_of(1)), 0);
  EXPECT_EQ(chosen(spec, params_of(66)), 0);
  EXPECT_EQ(chosen(spec, params_of(67)), 1);
  EXPECT_EQ(chosen(spec, params_of(ops::kv_cast::most_tokens)), 1);
}

TEST(KvCastLaunches, OfAPlanForAnyAlignmentTakeTheLongestRunThatTheCallHas) {
  const KvCastSpec spec{.heads = 8, .head_dim = 128, .alignment = 2};
  const auto variants = ops::kv_cast::variants(spec);
  const auto run_of = [&](const KvCastParams& params) { return variants[chosen(spec, params)].run; };
  ASSERT_EQ(variants.size(), 4u);
  EXPECT_EQ(run_of(params_of(1)), 2);
  EXPECT_EQ(run_of(params_of(1000)), 8);
  for (void (*spoil)(KvCastStream&) :
       {+[](KvCastStream& s) { s.in = static_cast<const char*>(s.in) + 2; },
        +[](KvCastStream& s) { s.cache = static_cast<char*>(s.cache) + 1; }, +[](KvCastStream& s) { ++s.in_token; },
        +[](KvCastStream& s) { ++s.in_head; }, +[](KvCastStream& s) { ++s.cache_loc; },
        +[](KvCastStream& s) { --s.cache_head; }})
    for (const int stream : {0, 1}) {
      KvCastParams params = params_of(1000);
      spoil(params.stream[stream]);
      EXPECT_EQ(run_of(params), 1);
    }
}

/// A stride that no address depends on is whatever the caller has.
TEST(KvCastLaunches, DoNotLookAtStridesOfOneToken) {
  const KvCastSpec spec{.heads = 8, .head_dim = 128, .alignment = 2};
  KvCastParams params = params_of(1);
  params.stream[0].in_token = 1025;
  EXPECT_EQ(ops::kv_cast::alignment_of(spec, params), 16);
  params.tokens = 2;
  EXPECT_EQ(ops::kv_cast::alignment_of(spec, params), 2);
}

TEST(KvCastLaunches, CoverEveryLaneOfEveryTokenOnce) {
  for (const int heads : {1, 2, 3, 8, 33, 8192})
    for (const int dim : {16, 40, 128, 512})
      for (const int run : {1, 2, 4, 8})
        for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{7}, ops::kv_cast::most_tokens}) {
          const kernel::KvCastVariant v{.heads = heads, .head_dim = dim, .run = run};
          const auto [grid, block] = ops::kv_cast::launch(v, tokens);
          EXPECT_LE(block[0] * block[1], 128u);
          EXPECT_LE(grid[1], 65535u);
          EXPECT_LE(grid[0], 2147483647u);
          EXPECT_GE(std::int64_t{grid[0]} * block[1], tokens);
          EXPECT_LT((std::int64_t{grid[0]} - 1) * block[1], tokens);
          EXPECT_GE(grid[1] * block[0], static_cast<unsigned>(lanes_of(v)));
          EXPECT_LT((grid[1] - 1) * block[0], static_cast<unsigned>(lanes_of(v)));
        }
}

}  // namespace
}  // namespace ropeline
