// The printed form of the specs of all ops: JSON with the defaults left out. spec_fields.h has the fields.

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "error.h"
#include "float_mode.h"
#include "spec_fields.h"

namespace ropeline {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
concept Struct = requires(T& x, void (*visit)(const char*, int, int)) {
  fields(visit, x, x);
};

template <class T>
concept Variant = requires(const T& x) {
  alternatives(x);
};

// --- printing ----------------------------------------------------------------------------------------------------

Json print(bool x) { return x; }
Json print(int x) { return x; }
Json print(std::uint8_t x) { return static_cast<int>(x); }
Json print(double x) { return x; }

// The double whose shortest decimal is that of the float: 1e-06, not 9.999999974752427e-07.
Json print(float x) {
  char digits[32];
  *std::to_chars(digits, digits + sizeof digits - 1, x).ptr = '\0';
  return std::strtod(digits, nullptr);
}

template <class Enum>
requires std::is_enum_v<Enum> Json print(Enum x) {
  for (const auto& [value, name] : names(Enum{}))
    if (value == x) return name;
  return static_cast<int>(x);
}

template <Struct T>
Json print(const T& x);

template <Variant T>
Json print(const T& x) {
  const std::string name(alternatives(x)[x.index()]);
  return {{name, std::visit([](const auto& chosen) { return print(chosen); }, x)}};
}

template <class T>
Json print(const std::vector<T>& list) {
  Json json = Json::array();
  for (const T& x : list) json.push_back(print(x));
  return json;
}

struct Printer {
  Json json = Json::object();

  template <class T>
  void operator()(const char* name, const T& x, const T& standard) {
    if (!(x == standard)) json[name] = print(x);
  }
};

template <Struct T>
Json print(const T& x) {
  Printer printer;
  fields(printer, x, T{});
  return std::move(printer.json);
}

// --- reading -----------------------------------------------------------------------------------------------------

[[noreturn]] void wrong(const std::string& path, const Json& json, const char* right) {
  throw_invalid(text(path.empty() ? "spec" : path, ": ", json.dump(), " is not ", right));
}

void read(const Json& json, const std::string& path, bool& x) {
  if (!json.is_boolean()) wrong(path, json, "true or false");
  x = json.get<bool>();
}

template <class T>
requires(std::is_same_v<T, int> || std::is_same_v<T, std::uint8_t>) void read(const Json& json, const std::string& path,
                                                                              T& x) {
  const auto n = json.is_number_integer() ? json.get<std::int64_t>() : -1;
  const bool huge = json.is_number_unsigned() && json.get<std::uint64_t>() > std::uint64_t{1} << 62;
  const bool fits =
      json.is_number_integer() && !huge && n >= std::numeric_limits<T>::min() && n <= std::numeric_limits<T>::max();
  if (!fits) wrong(path, json, std::is_same_v<T, int> ? "a 32-bit integer" : "an integer from 0 to 255");
  x = json.get<T>();
}

template <class T>
requires std::is_floating_point_v<T>
void read(const Json& json, const std::string& path, T& x) {
  x = json.is_number() ? json.get<T>() : std::numeric_limits<T>::infinity();
  if (!std::isfinite(x)) wrong(path, json, std::is_same_v<T, float> ? "a finite fp32 number" : "a finite number");
}

template <class Enum>
requires std::is_enum_v<Enum>
void read(const Json& json, const std::string& path, Enum& x) {
  std::string known;
  for (const auto& [value, name] : names(Enum{})) {
    if (json == name) return void(x = value);
    known += text(known.empty() ? "" : ", ", name);
  }
  wrong(path, json, text("one of ", known).c_str());
}

template <Struct T>
void read(const Json& json, const std::string& path, T& x);

template <class T, std::size_t I = 0>
void read_alternative(const std::string& name, const Json& json, const std::string& path, T& x) {
  if constexpr (I < std::variant_size_v<T>) {
    if (alternatives(x)[I] != name) return read_alternative<T, I + 1>(name, json, path, x);
    std::variant_alternative_t<I, T> chosen;
    read(json, path, chosen);
    x = std::move(chosen);
  }
}

template <Variant T>
void read(const Json& json, const std::string& path, T& x) {
  std::string known;
  for (std::string_view name : alternatives(x)) {
    if (json.is_object() && json.size() == 1 && json.contains(std::string(name)))
      return read_alternative(std::string(name), json.begin().value(), text(path, ".", name), x);
    known += text(known.empty() ? "" : ", ", name);
  }
  wrong(path, json, text("an object with one of ", known).c_str());
}

template <class T>
void read(const Json& json, const std::string& path, std::vector<T>& list) {
  if (!json.is_array()) wrong(path, json, "a list");
  list.resize(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) read(json[i], text(path, "[", i, "]"), list[i]);
}

struct Reader {
  const Json& json;
  const std::string& path;
  std::size_t found = 0;
  std::string known = {};

  std::string at(const char* name) const { return path.empty() ? name : text(path, ".", name); }

  template <class T>
  void operator()(const char* name, T& x, const T&) {
    known += text(known.empty() ? "" : ", ", name);
    const auto entry = json.find(name);
    if (entry == json.end()) return;
    ++found;
    read(*entry, at(name), x);
  }

  void refuse_unknown() const {
    for (const auto& [name, value] : json.items())
      if (text(", ", known, ",").find(text(", ", name, ",")) == std::string::npos)
        throw_invalid(text(at(name.c_str()), ": unknown field; known are ", known.empty() ? "none" : known));
  }
};

template <Struct T>
void read(const Json& json, const std::string& path, T& x) {
  if (!json.is_object()) wrong(path, json, "an object");
  Reader reader{json, path};
  fields(reader, x, T{});
  if (reader.found != json.size()) reader.refuse_unknown();
}

template <Struct T>
std::string printed(const T& spec) {
  const FloatMode mode;  // decimals are converted by the C library, which rounds as the caller does
  return print(spec).dump();
}

template <Struct T>
T parsed(std::string_view text) {
  const FloatMode mode;
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) throw_invalid(ropeline::text("spec: not JSON: ", text.substr(0, 200)));
  T spec;
  read(json, "", spec);
  return spec;
}

}  // namespace

std::string Spec::json() const { return printed(*this); }

Spec Spec::from_json(std::string_view text) { return parsed<Spec>(text); }

std::string KvCastSpec::json() const { return printed(*this); }

KvCastSpec KvCastSpec::from_json(std::string_view text) { return parsed<KvCastSpec>(text); }

}  // namespace ropeline
