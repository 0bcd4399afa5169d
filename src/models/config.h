#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace ropeline::models {

using Json = nlohmann::json;

/// A config.json, read as transformers reads it: what the file leaves out has the default of the config's class.
/// Every getter throws Error{invalid_argument} that names the field when it is missing or of another type.
class Config {
 public:
  Config(const Json& defaults, const Json& file);

  /// Given, and not null.
  bool has(const char* field) const;
  const Json& at(const char* field) const;
  /// The object; an empty one when the field is absent or null.
  Json object_or_empty(const char* field) const;
  std::int64_t positive_integer(const char* field) const;
  double number(const char* field) const;

 private:
  Json fields_;
};

/// The object in the text. Throws Error{invalid_argument} for anything else.
Json parse_config(std::string_view text);

/// A number in a part of a config; `where` is the part's name: "rope_parameters".
double number(const Json& object, const std::string& where, const char* field);

}  // namespace ropeline::models
