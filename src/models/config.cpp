#include "models/config.h"

#include <limits>

#include "error.h"

namespace ropeline::models {

Config::Config(const Json& defaults, const Json& file) : fields_(defaults) { fields_.update(file); }

bool Config::has(const char* field) const {
  const auto found = fields_.find(field);
  return found != fields_.end() && !found->is_null();
}

const Json& Config::at(const char* field) const {
  require(has(field), "config: ", field, " is missing");
  return fields_.at(field);
}

Json Config::object_or_empty(const char* field) const {
  if (!has(field)) return Json::object();
  require(at(field).is_object(), "config: ", field, " ", at(field).dump(), " must be an object");
  return at(field);
}

std::int64_t Config::positive_integer(const char* field) const {
  const Json& value = at(field);
  const bool fits = value.is_number_integer() && value > 0 && value <= std::numeric_limits<std::int32_t>::max();
  require(fits, "config: ", field, " ", value.dump(), " must be an integer from 1 to 2^31 - 1");
  return value.get<std::int64_t>();
}

double Config::number(const char* field) const { return models::number(fields_, "config", field); }

Json parse_config(std::string_view text) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  require(json.is_object(), "config: not a JSON object: ", text.substr(0, 60));
  return json;
}

double number(const Json& object, const std::string& where, const char* field) {
  const auto found = object.find(field);
  require(found != object.end() && !found->is_null(), where, ": ", field, " is missing");
  require(found->is_number(), where, ": ", field, " ", found->dump(), " must be a number");
  return found->get<double>();
}

}  // namespace ropeline::models
