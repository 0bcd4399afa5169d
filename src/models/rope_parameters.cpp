#include "models/rope_parameters.h"

#include "angles/frequencies.h"
#include "angles/scaling.h"
#include "error.h"

namespace ropeline::models {
namespace {

constexpr const char* kWhere = "rope_parameters";

bool given(const RopeParameters& p, const char* field) { return p.contains(field) && !p.at(field).is_null(); }

double number_or(const RopeParameters& p, const char* field, double otherwise) {
  return given(p, field) ? number(p, kWhere, field) : otherwise;
}

// Python's `x or y`: absent, null and 0 alike.
double nonzero_or(const RopeParameters& p, const char* field, double otherwise) {
  const double x = number_or(p, field, 0);
  return x != 0 ? x : otherwise;
}

std::vector<double> numbers(const RopeParameters& p, const char* field) {
  require(given(p, field) && p.at(field).is_array(), kWhere, ": ", field, " must be a list of numbers");
  for (const Json& x : p.at(field)) require(x.is_number(), kWhere, ": ", field, " must be a list of numbers");
  return p.at(field).get<std::vector<double>>();
}

// An attention_factor of 0 would mean "by the formula" from here on.
double attention_factor(const RopeParameters& p) {
  if (!given(p, "attention_factor")) return 0;
  const double factor = number(p, kWhere, "attention_factor");
  require(factor > 0, kWhere, ": attention_factor ", factor, " must be above 0");
  return factor;
}

double original_length(const RopeParameters& p) { return number(p, kWhere, "original_max_position_embeddings"); }

// yarn and longrope: without a factor it is how far the served length exceeds the trained one.
double factor_or_ratio(const RopeParameters& p, const Config& config) {
  if (given(p, "factor")) return number(p, kWhere, "factor");
  return config.number("max_position_embeddings") / original_length(p);
}

double yarn_attention_factor(const RopeParameters& p, double factor) {
  if (given(p, "attention_factor")) return attention_factor(p);
  const double mscale = number_or(p, "mscale", 0), all_dim = number_or(p, "mscale_all_dim", 0);
  if (mscale == 0 || all_dim == 0) return 0;
  return angles::yarn_attention_factor(factor, mscale) / angles::yarn_attention_factor(factor, all_dim);
}

Scaling linear(const RopeParameters& p, const Config&, int) { return Scaling::linear(number(p, kWhere, "factor")); }

Scaling dynamic(const RopeParameters& p, const Config& config, int) {
  const double length = config.number("max_position_embeddings");
  return Scaling::dynamic(number(p, kWhere, "factor"), length, length);
}

Scaling yarn(const RopeParameters& p, const Config& config, int) {
  const double factor = factor_or_ratio(p, config);
  Scaling scaling = Scaling::yarn(factor, original_length(p), nonzero_or(p, "beta_fast", 32),
                                  nonzero_or(p, "beta_slow", 1), yarn_attention_factor(p, factor));
  const Json truncate = p.value("truncate", Json(true));
  require(truncate.is_boolean(), kWhere, ": truncate ", truncate.dump(), " must be true or false");
  scaling.truncate = truncate.get<bool>();
  return scaling;
}

Scaling llama3(const RopeParameters& p, const Config&, int) {
  return Scaling::llama3(number(p, kWhere, "factor"), number(p, kWhere, "low_freq_factor"),
                         number(p, kWhere, "high_freq_factor"), original_length(p));
}

Scaling longrope(const RopeParameters& p, const Config& config, int) {
  const std::vector<double> short_factor = numbers(p, "short_factor"), long_factor = numbers(p, "long_factor");
  return Scaling::longrope(short_factor, long_factor, factor_or_ratio(p, config), original_length(p), 0,
                           attention_factor(p));
}

Scaling proportional(const RopeParameters& p, const Config&, int rotary_dim) {
  const double part = number_or(p, "partial_rotary_factor", 1);
  require(part >= 0 && part <= 1, kWhere, ": partial_rotary_factor ", part, " must be from 0 to 1");
  return Scaling::proportional(static_cast<int>(part * rotary_dim) / 2, number_or(p, "factor", 1));
}

Scaling unscaled(const RopeParameters&, const Config&, int) { return {}; }

struct Kind {
  const char* rope_type;
  Scaling (*scaling)(const RopeParameters&, const Config&, int rotary_dim);
};

constexpr Kind kKinds[] = {{"default", unscaled}, {"linear", linear},     {"dynamic", dynamic},          {"yarn", yarn},
                           {"llama3", llama3},    {"longrope", longrope}, {"proportional", proportional}};

Scaling scaling(const RopeParameters& p, const Config& config, int rotary_dim) {
  std::string known;
  for (const Kind& kind : kKinds) {
    if (p.at("rope_type") == kind.rope_type) return kind.scaling(p, config, rotary_dim);
    known += text(known.empty() ? "" : ", ", kind.rope_type);
  }
  throw_unsupported(text(kWhere, ": rope_type ", p.at("rope_type").dump(), " is not one of ", known));
}

void check(const Frequencies& frequencies) try { angles::check(frequencies); } catch (const Error& error) {
  throw_invalid(text(kWhere, ": ", error.what()));
}

void set_default(RopeParameters& p, const char* field, const Json& value) {
  if (!p.contains(field)) p[field] = value;
}

}  // namespace

RopeParameters uniform_rope_parameters(const Config& config, const std::string&) {
  RopeParameters p = config.object_or_empty("rope_scaling");
  if (p.empty()) p = config.object_or_empty("rope_parameters");
  require(!p.contains("full_attention") && !p.contains("sliding_attention"), kWhere,
          ": one set for each layer type, but this family has one for all layers");
  set_default(p, "rope_theta", config.has("rope_theta") ? config.at("rope_theta") : Json(10000.0));
  if (config.has("partial_rotary_factor")) set_default(p, "partial_rotary_factor", config.at("partial_rotary_factor"));
  standardize(p, config);
  if (config.has("original_max_position_embeddings"))
    p["original_max_position_embeddings"] = config.at("original_max_position_embeddings");
  return p;
}

void standardize(RopeParameters& p, const Config& config) {
  set_default(p, "rope_type", p.value("type", Json("default")));
  if (config.has("max_position_embeddings"))
    set_default(p, "original_max_position_embeddings", config.at("max_position_embeddings"));
}

Frequencies frequencies(const RopeParameters& p, const Config& config, int rotary_dim) {
  const double theta = number(p, kWhere, "rope_theta");
  const Frequencies frequencies = Frequencies::theta(theta, rotary_dim, scaling(p, config, rotary_dim));
  check(frequencies);
  return frequencies;
}

}  // namespace ropeline::models
