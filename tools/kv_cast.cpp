// The op kv_cast, as the program knows it.

#include "ropeline/kv_cast.h"

#include <fmt/format.h>

#include <numeric>

#include "ropeline/error.h"
#include "tests/reference/kv_cast.h"
#include "tools/op.h"
#include "tools/run_call.h"

namespace ropeline::tools {
namespace {

// --- a call ------------------------------------------------------------------------------------------------------

/// The tensors of a call, with their memory.
struct KvCastCall {
  Tensor k, v, k_cache, v_cache, k_scale, v_scale, loc;
  std::int64_t mult = 1, offset = 0;

  KvCastArgs args() const;
  NamedTensors named() const;
  std::vector<NamedTensor> outputs() const { return {{"k_cache", k_cache}, {"v_cache", v_cache}}; }
};

struct KvCastField {
  const char* name;
  Tensor KvCastCall::*tensor;
  TensorView KvCastArgs::*argument;
};

constexpr KvCastField kKvCastFields[] = {{"k", &KvCastCall::k, &KvCastArgs::k},
                                         {"v", &KvCastCall::v, &KvCastArgs::v},
                                         {"k_cache", &KvCastCall::k_cache, &KvCastArgs::k_cache},
                                         {"v_cache", &KvCastCall::v_cache, &KvCastArgs::v_cache},
                                         {"k_scale", &KvCastCall::k_scale, &KvCastArgs::k_scale},
                                         {"v_scale", &KvCastCall::v_scale, &KvCastArgs::v_scale},
                                         {"loc", &KvCastCall::loc, &KvCastArgs::loc}};

KvCastArgs KvCastCall::args() const {
  KvCastArgs args{.mult = mult, .offset = offset};
  for (const KvCastField& field : kKvCastFields) args.*field.argument = this->*field.tensor;
  return args;
}

NamedTensors KvCastCall::named() const {
  NamedTensors tensors;
  for (const KvCastField& field : kKvCastFields) tensors[field.name] = this->*field.tensor;
  return tensors;
}

// Distinct rows in no order, and a token in eight that has none, as engines pad.
Tensor scattered(Random& random, DType dtype, std::int64_t tokens, std::int64_t rows) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[random.bits() % i]);
  for (std::int64_t token = 7; token < tokens; token += 8) all[token] = -1;
  return convert(TensorView(all.data(), DType::int64, {tokens}), dtype);
}

// Caches of twice as many rows as there are tokens. Scales under which some elements saturate.
KvCastCall made_up(const KvCastSpec& spec, std::int64_t tokens, std::uint64_t seed) {
  Random random(seed);
  const std::int64_t rows = 2 * tokens;
  KvCastCall call;
  for (Tensor KvCastCall::*in : {&KvCastCall::k, &KvCastCall::v})
    call.*in = random_tensor(random, spec.input, {tokens, spec.heads, spec.head_dim}, 4);
  for (Tensor KvCastCall::*cache : {&KvCastCall::k_cache, &KvCastCall::v_cache})
    call.*cache = Tensor(DType::fp8_e4m3, {rows, spec.heads, spec.head_dim});
  for (Tensor KvCastCall::*scale : {&KvCastCall::k_scale, &KvCastCall::v_scale})
    call.*scale = random_tensor(random, DType::fp32, {1}, 0.004f, 0.008f);
  call.loc = scattered(random, spec.loc, tokens, rows);
  return call;
}

// The same inputs, and caches of zeros: what a file has in them is what a call has written.
KvCastCall with_fresh_outputs(const KvCastSpec&, KvCastCall call) {
  for (Tensor KvCastCall::*cache : {&KvCastCall::k_cache, &KvCastCall::v_cache})
    call.*cache = Tensor((call.*cache).view().dtype, shape_of(call.*cache));
  return call;
}

KvCastCall call_from(const KvCastSpec& spec, const SafeTensors& file) {
  KvCastCall call;
  for (const KvCastField& field : kKvCastFields)
    call.*field.tensor = convert(file.at(field.name), file.at(field.name).dtype);
  return with_fresh_outputs(spec, call);
}

}  // namespace

template <>
TensorFields<KvCastArgs> tensor_fields<KvCastArgs>() {
  using A = KvCastArgs;
  return {.read = {&A::k, &A::v, &A::k_scale, &A::v_scale, &A::loc}, .written = {&A::k_cache, &A::v_cache}};
}

namespace {

// --- programs ----------------------------------------------------------------------------------------------------

// Keys and values of a layer, on their way into an FP8 cache: the program that the torch op asks for.
KvCastSpec kv_cast_of(const Spec& layer) {
  if (layer.activation == DType::fp32)
    throw Error(ErrorKind::invalid_argument, "--dtype: kv_cast takes bf16 and fp16, not fp32");
  return {.heads = layer.k.heads, .head_dim = layer.head_dim, .input = layer.activation, .alignment = 2};
}

void add_programs_of_kv_cast(std::vector<NamedSource>& sources, const RankLayer& layer, const ProgramWords&) {
  sources.push_back({layer.name() + " kv_cast", kernel_source(kv_cast_of(layer.spec))});
}

// --- check -------------------------------------------------------------------------------------------------------

KvCastSpec draw_kv_cast(Random& random) {
  constexpr int head_dims[] = {8, 24, 64, 72, 128, 192, 256}, alignments[] = {2, 4, 8, 16};
  return {.heads = 1 + random.below(8),
          .head_dim = random.one_of(head_dims),
          .input = random.below(2) ? DType::bf16 : DType::fp16,
          .loc = random.below(2) ? DType::int32 : DType::int64,
          .alignment = random.one_of(alignments)};
}

// The call of spec number `index`. With a `mult`, some rows lie beyond the cache.
KvCastCall kv_cast_call_for(const KvCastSpec& spec, std::uint64_t index) {
  constexpr std::int64_t tokens[] = {1, 2, 7, 16, 70};
  Random random(index);
  KvCastCall call = made_up(spec, random.one_of(tokens), index);
  call.mult = 1 + random.below(3), call.offset = random.below(3);
  return call;
}

BackendCheck check_kv_cast(int count, std::uint64_t seed, Device device) {
  return check_drawn(count, seed, device, draw_kv_cast, kv_cast_call_for,
                     [](const KvCastSpec& spec, const KvCastArgs& args) { reference::run(spec, args); });
}

// --- run ---------------------------------------------------------------------------------------------------------

// What only the other op has a use for is refused: it would do nothing.
void refuse_other_words(const RunWords& words) {
  const SpecWords standard;
  SpecWords others = words.spec;
  others.config = standard.config, others.layer = standard.layer, others.spec = standard.spec;
  others.k = standard.k, others.head_dim = standard.head_dim, others.dtype = standard.dtype;
  if (others != standard || words.first_position != 0)
    throw Error(ErrorKind::invalid_argument,
                "--op kv_cast: the spec is of --k, --head-dim and --dtype, or of --config, or --spec; --q, norms, rope "
                "and positions are qk_norm_rope's");
}

KvCastSpec kv_cast_of(const RunWords& run) {
  const SpecWords& words = run.spec;
  if (!words.config.empty()) return kv_cast_of(layer_of(words).spec);
  if (!words.spec.empty()) return KvCastSpec::from_json(json_in(words.spec));
  if (!run.tensors.empty() && words == SpecWords{}) return KvCastSpec::from_json(recorded_spec(run));
  return {.heads = words.k, .head_dim = words.head_dim, .input = dtype_of(words.dtype)};
}

std::string run_kv_cast(const RunWords& words) {
  refuse_other_words(words);
  const KvCastSpec spec = kv_cast_of(words);
  return run_call(words, spec, [&] {
    return words.tensors.empty() ? made_up(spec, words.tokens, words.seed)
                                 : call_from(spec, SafeTensors::read(words.tensors));
  });
}

}  // namespace

constinit const Op kKvCast = {
    .name = "kv_cast",
    .add_programs = add_programs_of_kv_cast,
    .source_of = [](const std::string& json) { return kernel_source(KvCastSpec::from_json(json)); },
    .check = check_kv_cast,
    .run = run_kv_cast};

}  // namespace ropeline::tools
