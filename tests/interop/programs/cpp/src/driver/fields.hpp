/* The fields of a command, taken one by one; what is left over is refused by name. */
#pragma once

#include <rpcx.hpp>

#include "../common/form.hpp"

using form::Json;

/// A command that cannot be obeyed; nothing was sent.
struct Misuse : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The fields not yet taken.
class Fields {
 public:
  explicit Fields(Json fields) : fields_(std::move(fields)) {}

  /// Any value, null included.
  std::optional<Json> take(const char* name) {
    const auto found = fields_.find(name);
    if (found == fields_.end()) return std::nullopt;
    Json value = std::move(*found);
    fields_.erase(found);
    return value;
  }

  /// Puts a field back.
  void put(const char* name, Json value) { fields_[name] = std::move(value); }

  /// Text that must be there.
  std::string text(const char* name) {
    auto text = optional_text(name);
    if (!text) throw Misuse(std::string(name) + " is missing");
    return *text;
  }

  /// Text, or nothing or null.
  std::optional<std::string> optional_text(const char* name) {
    const auto value = take(name);
    if (!value || value->is_null()) return std::nullopt;
    if (!value->is_string()) throw Misuse(std::string(name) + ": " + value->dump() + " is no text");
    return value->get<std::string>();
  }

  /// A whole number that is not negative.
  std::optional<size_t> count(const char* name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    if (!value->is_number_unsigned()) throw Misuse(std::string(name) + ": " + value->dump() + " is no whole number from 0");
    return value->get<size_t>();
  }

  /// True or false; `unset` when there is neither.
  bool flag(const char* name, bool unset) {
    const auto value = take(name);
    if (!value) return unset;
    if (!value->is_boolean()) throw Misuse(std::string(name) + ": " + value->dump() + " is neither true nor false");
    return value->get<bool>();
  }

  /// An object; nothing and null are an empty one.
  Json object(const char* name) {
    const auto value = take(name);
    if (!value || value->is_null()) return Json::object();
    if (!value->is_object()) throw Misuse(std::string(name) + ": " + value->dump() + " is no object");
    return *value;
  }

  /// A time: milliseconds, or text with a unit.
  std::optional<std::chrono::milliseconds> time(const char* name) {
    const auto value = take(name);
    if (!value) return std::nullopt;
    const Json number = value->is_string() ? Json::parse(value->get<std::string>(), nullptr, false) : *value;
    if (number.is_number() && number.get<double>() >= 0) {
      return std::chrono::milliseconds(static_cast<int64_t>(number.get<double>()));
    }
    if (value->is_string()) {
      const auto text = value->get<std::string>();
      const auto digits = text.find_first_not_of("0123456789");
      const auto unit = digits == std::string::npos ? "" : text.substr(digits);
      const int64_t factor = unit == "ms" ? 1 : unit == "s" ? 1000 : unit == "m" ? 60000 : 0;
      if (digits > 0 && digits < 10 && factor > 0) return std::chrono::milliseconds(std::stoll(text.substr(0, digits)) * factor);
    }
    throw Misuse(std::string(name) + ": " + value->dump() + " is no time in milliseconds");
  }

  /// Refuses a field that nobody took.
  void done() const {
    if (!fields_.empty()) throw Misuse("unknown field \"" + fields_.begin().key() + "\"");
  }

 private:
  Json fields_;
};
