/* Structs as JSON values, in three forms: JSON as Go writes it, the values of MessagePack, and the lines of the driver. */
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace form {

using Json = nlohmann::json;

/// How bytes, moments and large integers are written.
enum class Form {
  json,     ///< base64, RFC 3339, numbers
  msgpack,  ///< byte strings, extension -1, numbers
  line,     ///< hex, RFC 3339, decimal text beyond 2^53; unknown fields are refused
};

/// A value that does not fit; the text names it.
struct Mismatch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A byte string, as opposed to a list of numbers.
struct Bytes {
  std::string data;
};

/// A moment in UTC.
struct Time {
  int64_t seconds = 0;
  uint32_t nanos = 0;
};

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);
std::string to_rfc3339(const Time& time);
std::optional<Time> from_rfc3339(std::string_view text);

/// A dynamic value as lines show it.
Json to_line(const Json& value);

Json write(Form form, const Bytes& value);
Json write(Form form, const Time& value);
void read(Form form, const Json& json, Bytes& value);
void read(Form form, const Json& json, Time& value);

[[noreturn]] inline void mismatch(const Json& json, const char* expected) {
  throw Mismatch(json.dump(-1, ' ', false, Json::error_handler_t::replace) + " is no " + expected);
}

inline Json write(Form, bool value) { return value; }
inline Json write(Form, double value) { return value; }
inline Json write(Form, float value) { return static_cast<double>(value); }
inline Json write(Form, const std::string& value) { return value; }

template <typename T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
Json write(Form form, T value) {
  return form == Form::line ? to_line(Json(value)) : Json(value);
}

inline void read(Form, const Json& json, bool& value) {
  if (!json.is_boolean()) mismatch(json, "boolean");
  value = json.get<bool>();
}

inline void read(Form, const Json& json, double& value) {
  if (!json.is_number()) mismatch(json, "number");
  value = json.get<double>();
}

inline void read(Form form, const Json& json, float& value) {
  double wide = 0;
  read(form, json, wide);
  value = static_cast<float>(wide);
  if (!std::isfinite(value) && std::isfinite(wide)) mismatch(json, "number of single precision");
}

inline void read(Form, const Json& json, std::string& value) {
  if (!json.is_string()) mismatch(json, "text");
  value = json.get<std::string>();
}

template <typename T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
void read(Form form, const Json& json, T& value) {
  if (form == Form::line && json.is_string()) {
    const auto number = Json::parse(json.get<std::string>(), nullptr, false);
    if (!number.is_number_integer()) mismatch(json, "integer");
    return read(Form::json, number, value);
  }
  bool fits = false;
  if (json.is_number_unsigned()) {
    fits = json.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max());
  } else if (json.is_number_integer()) {
    const auto number = json.get<int64_t>();
    fits = std::is_signed_v<T> ? number >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
                                     number <= static_cast<int64_t>(std::numeric_limits<T>::max())
                               : number >= 0 && static_cast<uint64_t>(number) <=
                                                    static_cast<uint64_t>(std::numeric_limits<T>::max());
  }
  if (!fits) mismatch(json, "integer of its width");
  value = json.get<T>();
}

template <typename T>
Json write(Form form, const std::vector<T>& value);
template <typename T>
Json write(Form form, const std::map<std::string, T>& value);
template <typename T>
Json write(Form form, const std::optional<T>& value);
template <typename T>
void read(Form form, const Json& json, std::vector<T>& value);
template <typename T>
void read(Form form, const Json& json, std::map<std::string, T>& value);
template <typename T>
void read(Form form, const Json& json, std::optional<T>& value);

/// Visits fields and does nothing: to ask whether a type has some.
struct AnyField {
  template <typename T>
  void operator()(const char*, T&) const {}
};

/// A struct says its fields by a static `fields(self, visit)`, which calls `visit(name, member)` for each.
template <typename T>
auto write(Form form, const T& value) -> decltype(T::fields(value, AnyField()), Json()) {
  Json out = Json::object();
  T::fields(value, [&](const char* name, const auto& field) { out[name] = write(form, field); });
  return out;
}

template <typename T>
auto read(Form form, const Json& json, T& value) -> decltype(T::fields(value, AnyField()), void()) {
  if (json.is_null()) return;
  if (!json.is_object()) mismatch(json, "object");
  size_t known = 0;
  std::string names;
  T::fields(value, [&](const char* name, auto& field) {
    names += names.empty() ? name : std::string(", ") + name;
    const auto found = json.find(name);
    if (found == json.end()) return;
    known++;
    try {
      read(form, *found, field);
    } catch (const Mismatch& why) {
      throw Mismatch(std::string(name) + ": " + why.what());
    }
  });
  if (form != Form::line || known == json.size()) return;
  for (const auto& [key, _] : json.items()) {
    bool there = false;
    T::fields(value, [&](const char* name, auto&) { there |= key == name; });
    if (!there) throw Mismatch("unknown field \"" + key + "\", expected " + names);
  }
}

template <typename T>
Json write(Form form, const std::vector<T>& value) {
  Json out = Json::array();
  for (const auto& item : value) out.push_back(write(form, item));
  return out;
}

template <typename T>
Json write(Form form, const std::map<std::string, T>& value) {
  Json out = Json::object();
  for (const auto& [key, item] : value) out[key] = write(form, item);
  return out;
}

template <typename T>
Json write(Form form, const std::optional<T>& value) {
  return value ? write(form, *value) : Json();
}

template <typename T>
void read(Form form, const Json& json, std::vector<T>& value) {
  value.clear();
  if (json.is_null()) return;
  if (!json.is_array()) mismatch(json, "list");
  for (const auto& item : json) read(form, item, value.emplace_back());
}

template <typename T>
void read(Form form, const Json& json, std::map<std::string, T>& value) {
  value.clear();
  if (json.is_null()) return;
  if (!json.is_object()) mismatch(json, "object");
  for (const auto& [key, item] : json.items()) read(form, item, value[key]);
}

template <typename T>
void read(Form form, const Json& json, std::optional<T>& value) {
  value.reset();
  if (!json.is_null()) read(form, json, value.emplace());
}

/// A dynamic value.
inline Json write(Form form, const Json& value) { return form == Form::line ? to_line(value) : value; }
inline void read(Form, const Json& json, Json& value) { value = json; }

}  // namespace form
