#include "tools/call.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

#include "ropeline/error.h"
#include "ropeline/table.h"
#include "tools/random.h"

namespace ropeline::tools {
namespace {

struct Field {
  const char* name;
  Tensor Call::*tensor;
  TensorView Args::*argument;
};

constexpr std::array kFields{
    Field{"q", &Call::q, &Args::q},
    Field{"k", &Call::k, &Args::k},
    Field{"v", &Call::v, &Args::v},
    Field{"q_weight", &Call::q_weight, &Args::q_weight},
    Field{"k_weight", &Call::k_weight, &Args::k_weight},
    Field{"v_weight", &Call::v_weight, &Args::v_weight},
    Field{"positions", &Call::positions, &Args::positions},
    Field{"cos_sin_cache", &Call::cos_sin_cache, &Args::cos_sin_cache},
    Field{"cos", &Call::cos, &Args::cos},
    Field{"sin", &Call::sin, &Args::sin},
    Field{"q_out", &Call::q_out, &Args::q_out},
    Field{"k_out", &Call::k_out, &Args::k_out},
    Field{"v_out", &Call::v_out, &Args::v_out},
};

struct StreamField {
  const char* name;
  StreamSpec Spec::*spec;
  Tensor Call::*in;
  Tensor Call::*weight;
  Tensor Call::*out;
};

constexpr std::array kStreams{StreamField{"q", &Spec::q, &Call::q, &Call::q_weight, &Call::q_out},
                              StreamField{"k", &Spec::k, &Call::k, &Call::k_weight, &Call::k_out},
                              StreamField{"v", &Spec::v, &Call::v, &Call::v_weight, &Call::v_out}};

const Rope* rope_of(const Spec& spec) {
  for (const StreamField& field : kStreams)
    if (const Rope* rope = (spec.*field.spec).rope()) return rope;
  return nullptr;
}

std::vector<std::int64_t> consecutive(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) list[i] = first + i;
  return list;
}

Tensor integers(DType dtype, const std::vector<std::int64_t>& values) {
  const TensorView list(values.data(), DType::int64, {static_cast<std::int64_t>(values.size())});
  return convert(list, dtype);
}

// Where the layout of a row keeps frequency i: element i, and for a doubled row its twin.
std::array<std::int64_t, 2> places(RowLayout layout, std::int64_t i, std::int64_t n) {
  if (layout == RowLayout::half) return {i, i};
  if (layout == RowLayout::repeat) return {2 * i, 2 * i + 1};
  return {i, i + n};
}

Tensor rows(const std::vector<float>& values, std::int64_t n, RowLayout layout, DType dtype) {
  const auto tokens = n ? static_cast<std::int64_t>(values.size()) / n : 0,
             width = layout == RowLayout::half ? n : 2 * n;
  Tensor table(DType::fp32, {tokens, width});
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t place : places(layout, i, n)) table.as<float>()[t * width + place] = values[t * n + i];
  return convert(table, dtype);
}

// A vLLM-style table: cos in the first half of a row, sin in the second.
Tensor cache(const CosSinTable& table, DType dtype) {
  const std::int64_t n = table.rotary_dim / 2;
  Tensor rows(DType::fp32, {table.positions, 2 * n});
  for (std::int64_t p = 0; p < table.positions; ++p) {
    std::memcpy(rows.as<float>() + p * 2 * n, table.cos.data() + p * n, n * sizeof(float));
    std::memcpy(rows.as<float>() + p * 2 * n + n, table.sin.data() + p * n, n * sizeof(float));
  }
  return convert(rows, dtype);
}

void add_angles(Call& call, const Spec& spec, const Rope& rope, const CallSettings& settings) {
  const std::vector<std::int64_t> positions = consecutive(settings.first_position, settings.tokens);
  Frequencies frequencies = settings.frequencies;
  if (frequencies == Frequencies{}) frequencies = Frequencies::theta(10000, rope.rotary_dim());
  if (const auto* layout = std::get_if<CosSinRows>(&rope.angles)) {
    const CosSinTable table = cos_sin_table(frequencies, positions, AngleMode::fp32_product);
    call.cos = rows(table.cos, table.rotary_dim / 2, layout->layout, spec.table);
    call.sin = rows(table.sin, table.rotary_dim / 2, layout->layout, spec.table);
    return;
  }
  call.positions = integers(spec.positions, positions);
  if (std::holds_alternative<CosSinCache>(rope.angles))
    call.cos_sin_cache = cache(
        cos_sin_table(frequencies, settings.first_position + settings.tokens, AngleMode::fp32_product), spec.table);
}

}  // namespace

Args Call::args() const {
  Args args;
  for (const Field& field : kFields) args.*field.argument = this->*field.tensor;
  return args;
}

NamedTensors Call::named() const {
  NamedTensors tensors;
  for (const Field& field : kFields)
    if (this->*field.tensor) tensors[field.name] = this->*field.tensor;
  return tensors;
}

std::vector<NamedTensor> Call::outputs() const {
  std::vector<NamedTensor> written;
  for (const Field& field : kFields)
    if (std::string_view(field.name).ends_with("_out") && this->*field.tensor)
      written.push_back({field.name, this->*field.tensor});
  return written;
}

Call made_up_call(const Spec& spec, const CallSettings& settings) {
  Random random(settings.seed);
  Call call;
  for (const StreamField& field : kStreams) {
    const StreamSpec& stream = spec.*field.spec;
    if (stream.heads == 0) continue;
    call.*field.in = random_tensor(random, spec.activation, {settings.tokens, stream.heads, spec.head_dim}, 4);
    const Norm* norm = stream.norm();
    if (norm && norm->weight != WeightShape::none)
      call.*field.weight = random_tensor(random, spec.weight, {spec.head_dim}, 0.5f, 1 - norm->weight_offset);
  }
  if (const Rope* rope = rope_of(spec)) add_angles(call, spec, *rope, settings);
  return with_fresh_outputs(spec, call);
}

Call call_from(const Spec& spec, const SafeTensors& file) {
  Call call;
  for (const Field& field : kFields)
    if (file.mentions(field.name)) call.*field.tensor = convert(file.at(field.name), file.at(field.name).dtype);
  for (const StreamField& field : kStreams)
    if ((spec.*field.spec).heads && !(call.*field.in))
      throw Error(ErrorKind::invalid_argument, fmt::format("{}: no tensor named {}, the spec has {} heads of it",
                                                           file.path().string(), field.name, (spec.*field.spec).heads));
  return with_fresh_outputs(spec, call);
}

Call with_fresh_outputs(const Spec& spec, Call call) {
  for (const StreamField& field : kStreams)
    call.*field.out = (spec.*field.spec).heads ? Tensor(spec.activation, shape_of(call.*field.in)) : Tensor();
  return call;
}

}  // namespace ropeline::tools
