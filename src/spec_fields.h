#pragma once

// The fields of a spec by name, once, for everything that walks over them: the printer and the reader of its JSON form.
// `visit(name, value, standard)` is called for each field; `standard` is the value that is left out when printing.

#include <array>
#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ropeline/kv_cast.h"
#include "ropeline/spec.h"

namespace ropeline {

template <class Enum>
using Names = std::pair<Enum, std::string_view>;

constexpr auto names(DType) {
  std::array<Names<DType>, 7> all{};
  for (int i = 0; i < 7; ++i) all[i] = {static_cast<DType>(i), name_of(static_cast<DType>(i))};
  return all;
}

constexpr auto names(ScalingKind) {
  using enum ScalingKind;
  return std::to_array<Names<ScalingKind>>({{none, "none"},
                                            {linear, "linear"},
                                            {dynamic, "dynamic"},
                                            {yarn, "yarn"},
                                            {yarn_range, "yarn_range"},
                                            {llama3, "llama3"},
                                            {longrope, "longrope"},
                                            {proportional, "proportional"}});
}

constexpr auto names(NormRounding) {
  using enum NormRounding;
  return std::to_array<Names<NormRounding>>({{none, "none"}, {end, "end"}, {inner, "inner"}, {factor, "factor"}});
}

constexpr auto names(RopeRounding) {
  using enum RopeRounding;
  return std::to_array<Names<RopeRounding>>({{end, "end"}, {products, "products"}});
}

constexpr auto names(TableRounding) {
  using enum TableRounding;
  return std::to_array<Names<TableRounding>>({{fp32, "fp32"}, {dtype, "dtype"}});
}

constexpr auto names(WeightShape) {
  using enum WeightShape;
  return std::to_array<Names<WeightShape>>({{none, "none"}, {row, "row"}, {row_per_head, "row_per_head"}});
}

constexpr auto names(Extent) {
  using enum Extent;
  return std::to_array<Names<Extent>>({{head, "head"}, {all_heads, "all_heads"}});
}

constexpr auto names(SumUnit) {
  using enum SumUnit;
  return std::to_array<Names<SumUnit>>({{mean, "mean"}, {sum, "sum"}});
}

constexpr auto names(Style) {
  using enum Style;
  return std::to_array<Names<Style>>({{neox, "neox"}, {interleaved, "interleaved"}});
}

constexpr auto names(RowLayout) {
  using enum RowLayout;
  return std::to_array<Names<RowLayout>>({{half, "half"}, {dup, "dup"}, {repeat, "repeat"}, {full, "full"}});
}

/// `fields` takes a const value when printing and a mutable one when reading.
template <class T, class Value>
concept Fields = std::is_same_v<std::remove_const_t<T>, Value>;

template <class Visit, Fields<Scaling> T>
void fields(Visit& visit, T& x, const Scaling& standard) {
  visit("kind", x.kind, standard.kind);
  visit("factor", x.factor, standard.factor);
  visit("original_length", x.original_length, standard.original_length);
  visit("seq_len", x.seq_len, standard.seq_len);
  visit("beta_fast", x.beta_fast, standard.beta_fast);
  visit("beta_slow", x.beta_slow, standard.beta_slow);
  visit("truncate", x.truncate, standard.truncate);
  visit("low", x.low, standard.low);
  visit("high", x.high, standard.high);
  visit("low_freq_factor", x.low_freq_factor, standard.low_freq_factor);
  visit("high_freq_factor", x.high_freq_factor, standard.high_freq_factor);
  visit("rotated_pairs", x.rotated_pairs, standard.rotated_pairs);
  visit("short_factor", x.short_factor, standard.short_factor);
  visit("long_factor", x.long_factor, standard.long_factor);
  visit("attention_factor", x.attention_factor, standard.attention_factor);
}

template <class Visit, Fields<Frequencies> T>
void fields(Visit& visit, T& x, const Frequencies& standard) {
  visit("base", x.base, standard.base);
  visit("rotary_dim", x.rotary_dim, standard.rotary_dim);
  visit("scaling", x.scaling, standard.scaling);
  visit("values", x.values, standard.values);
}

template <class Visit, Fields<CosSinCache> T>
void fields(Visit& visit, T& x, const CosSinCache& standard) {
  visit("rotary_dim", x.rotary_dim, standard.rotary_dim);
}

template <class Visit, Fields<CosSinRows> T>
void fields(Visit& visit, T& x, const CosSinRows& standard) {
  visit("rotary_dim", x.rotary_dim, standard.rotary_dim);
  visit("layout", x.layout, standard.layout);
  visit("per_head", x.per_head, standard.per_head);
}

template <class Visit, Fields<Norm> T>
void fields(Visit& visit, T& x, const Norm& standard) {
  visit("center", x.center, standard.center);
  visit("unit", x.unit, standard.unit);
  visit("eps", x.eps, standard.eps);
  visit("weight", x.weight, standard.weight);
  visit("bias", x.bias, standard.bias);
  visit("weight_offset", x.weight_offset, standard.weight_offset);
  visit("extent", x.extent, standard.extent);
  visit("rounding", x.rounding, standard.rounding);
}

template <class Visit, Fields<Rope> T>
void fields(Visit& visit, T& x, const Rope& standard) {
  visit("style", x.style, standard.style);
  visit("angles", x.angles, standard.angles);
  visit("offset", x.offset, standard.offset);
  visit("axes", x.axes, standard.axes);
  visit("inverse", x.inverse, standard.inverse);
  visit("rounding", x.rounding, standard.rounding);
  visit("table", x.table, standard.table);
}

template <class Visit, Fields<Scale> T>
void fields(Visit& visit, T& x, const Scale& standard) {
  visit("per_token", x.per_token, standard.per_token);
  visit("per_head", x.per_head, standard.per_head);
  visit("per_dim", x.per_dim, standard.per_dim);
  visit("round", x.round, standard.round);
}

template <class Visit, Fields<Clamp> T>
void fields(Visit& visit, T& x, const Clamp& standard) {
  visit("bound", x.bound, standard.bound);
}

template <class Visit, Fields<Output> T>
void fields(Visit&, T&, const Output&) {}

template <class Visit, Fields<PagedCache> T>
void fields(Visit& visit, T& x, const PagedCache& standard) {
  visit("dtype", x.dtype, standard.dtype);
  visit("also_output", x.also_output, standard.also_output);
}

template <class Visit, Fields<StreamSpec> T>
void fields(Visit& visit, T& x, const StreamSpec& standard) {
  visit("heads", x.heads, standard.heads);
  visit("steps", x.steps, standard.steps);
  visit("sink", x.sink, standard.sink);
}

template <class Visit, Fields<Spec> T>
void fields(Visit& visit, T& x, const Spec& standard) {
  visit("head_dim", x.head_dim, standard.head_dim);
  visit("q", x.q, standard.q);
  visit("k", x.k, standard.k);
  visit("v", x.v, standard.v);
  visit("activation", x.activation, standard.activation);
  visit("weight", x.weight, standard.weight);
  visit("table", x.table, standard.table);
  visit("positions", x.positions, standard.positions);
  visit("alignment", x.alignment, standard.alignment);
}

template <class Visit, Fields<KvCastSpec> T>
void fields(Visit& visit, T& x, const KvCastSpec& standard) {
  visit("heads", x.heads, standard.heads);
  visit("head_dim", x.head_dim, standard.head_dim);
  visit("input", x.input, standard.input);
  visit("loc", x.loc, standard.loc);
  visit("alignment", x.alignment, standard.alignment);
}

// The alternatives of a variant by name, in the variant's order. Templates, so that an alternative does not pass for
// the variant that it converts to.
template <std::same_as<Angles> T>
constexpr auto alternatives(const T&) {
  return std::to_array<std::string_view>({"frequencies", "cos_sin_cache", "rows"});
}

template <std::same_as<Step> T>
constexpr auto alternatives(const T&) {
  return std::to_array<std::string_view>({"norm", "rope", "scale", "clamp"});
}

template <std::same_as<Sink> T>
constexpr auto alternatives(const T&) {
  return std::to_array<std::string_view>({"output", "paged_cache"});
}

}  // namespace ropeline
