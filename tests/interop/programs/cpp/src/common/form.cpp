#include "form.hpp"

#include <array>
#include <cstdio>

namespace form {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr int64_t kExact = int64_t{1} << 53;  // the integers that a 64-bit float holds exactly
constexpr uint8_t kTimestamp = 0xff;          // MessagePack's extension -1

int nibble(char digit) {
  const auto at = kDigits.find(static_cast<char>(digit >= 'A' && digit <= 'F' ? digit - 'A' + 'a' : digit));
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

uint64_t big_endian(const std::vector<uint8_t>& bytes, size_t from, size_t count) {
  uint64_t value = 0;
  for (size_t i = from; i < from + count; i++) value = value << 8 | bytes[i];
  return value;
}

void put_big_endian(std::vector<uint8_t>& bytes, uint64_t value, size_t count) {
  for (size_t i = count; i-- > 0;) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

std::optional<Time> from_extension(const Json::binary_t& bytes) {
  switch (bytes.size()) {
    case 4: return Time{static_cast<int64_t>(big_endian(bytes, 0, 4)), 0};
    case 8: {
      const uint64_t both = big_endian(bytes, 0, 8);
      return Time{static_cast<int64_t>(both & ((uint64_t{1} << 34) - 1)), static_cast<uint32_t>(both >> 34)};
    }
    case 12: return Time{static_cast<int64_t>(big_endian(bytes, 4, 8)), static_cast<uint32_t>(big_endian(bytes, 0, 4))};
    default: return std::nullopt;
  }
}

// Days since 1970 of a date, and back, in the proleptic Gregorian calendar.
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

std::array<int64_t, 3> date_of(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t of_era = days - era * 146097;
  const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  const int64_t month = shifted + (shifted < 10 ? 3 : -9);
  return {year + era * 400 + (month <= 2), month, of_year - (153 * shifted + 2) / 5 + 1};
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = nibble(text[i]), low = nibble(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    for (size_t j = 0; j < 3; j++) three = three << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; j++) text += i + j <= bytes.size() ? kBase64[three >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto at = kBase64.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(at);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 255);
  }
  return bytes;
}

std::string to_rfc3339(const Time& time) {
  const int64_t days = (time.seconds >= 0 ? time.seconds : time.seconds - 86399) / 86400;
  const int64_t second = time.seconds - days * 86400;
  const auto [year, month, day] = date_of(days);
  char text[64];
  std::snprintf(text, sizeof text, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld", static_cast<long long>(year),
                static_cast<long long>(month), static_cast<long long>(day), static_cast<long long>(second / 3600),
                static_cast<long long>(second / 60 % 60), static_cast<long long>(second % 60));
  std::string out = text;
  if (time.nanos != 0) {
    std::snprintf(text, sizeof text, ".%09u", time.nanos);
    out += text;
    while (out.back() == '0') out.pop_back();
  }
  return out + "Z";
}

std::optional<Time> from_rfc3339(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &used) != 6 ||
      used != 19 || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  Time time{days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second, 0};
  text.remove_prefix(19);
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    uint32_t scale = 100000000;
    size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; digits++, scale /= 10) {
      time.nanos += static_cast<uint32_t>(text[digits] - '0') * scale;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
  }
  if (text == "Z" || text == "z") return time;
  char sign = 0;
  int hours = 0, minutes = 0;
  const std::string zone(text);
  if (zone.size() != 6 || std::sscanf(zone.c_str(), "%c%2d:%2d", &sign, &hours, &minutes) != 3) return std::nullopt;
  if (sign != '+' && sign != '-') return std::nullopt;
  time.seconds -= (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
  return time;
}

Json to_line(const Json& value) {
  switch (value.type()) {
    case Json::value_t::number_unsigned:
      if (value.get<uint64_t>() > static_cast<uint64_t>(kExact)) return std::to_string(value.get<uint64_t>());
      return value;
    case Json::value_t::number_integer: {
      const auto number = value.get<int64_t>();
      if (number > kExact || number < -kExact) return std::to_string(number);
      return value;
    }
    case Json::value_t::binary: {
      const auto& bytes = value.get_binary();
      if (bytes.has_subtype() && bytes.subtype() == kTimestamp) {
        if (const auto time = from_extension(bytes)) return to_rfc3339(*time);
      }
      return to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    case Json::value_t::array: {
      Json out = Json::array();
      for (const auto& item : value) out.push_back(to_line(item));
      return out;
    }
    case Json::value_t::object: {
      Json out = Json::object();
      for (const auto& [key, item] : value.items()) out[key] = to_line(item);
      return out;
    }
    default: return value;
  }
}

Json write(Form form, const Bytes& value) {
  switch (form) {
    case Form::json: return to_base64(value.data);
    case Form::msgpack: return Json::binary(std::vector<uint8_t>(value.data.begin(), value.data.end()));
    case Form::line: break;
  }
  return to_hex(value.data);
}

void read(Form form, const Json& json, Bytes& value) {
  value.data.clear();
  if (json.is_null()) return;
  if (form == Form::msgpack) {
    if (json.is_string()) {
      value.data = json.get<std::string>();
    } else if (json.is_binary()) {
      value.data.assign(json.get_binary().begin(), json.get_binary().end());
    } else {
      mismatch(json, "byte string");
    }
    return;
  }
  const char* expected = form == Form::json ? "base64" : "hexadecimal text";
  if (!json.is_string()) mismatch(json, expected);
  auto bytes = form == Form::json ? from_base64(json.get<std::string>()) : from_hex(json.get<std::string>());
  if (!bytes) mismatch(json, expected);
  value.data = std::move(*bytes);
}

Json write(Form form, const Time& value) {
  if (form != Form::msgpack) return to_rfc3339(value);
  std::vector<uint8_t> bytes;
  const auto seconds = static_cast<uint64_t>(value.seconds);
  if (seconds >> 34 != 0) {
    put_big_endian(bytes, value.nanos, 4);
    put_big_endian(bytes, seconds, 8);
  } else if (value.nanos != 0 || seconds >> 32 != 0) {
    put_big_endian(bytes, uint64_t{value.nanos} << 34 | seconds, 8);
  } else {
    put_big_endian(bytes, seconds, 4);
  }
  return Json::binary(std::move(bytes), kTimestamp);
}

void read(Form form, const Json& json, Time& value) {
  value = Time{};
  if (json.is_null()) return;
  std::optional<Time> time;
  if (form == Form::msgpack && json.is_binary()) {
    time = from_extension(json.get_binary());
  } else if (json.is_string()) {
    time = from_rfc3339(json.get<std::string>());
  }
  if (!time) mismatch(json, "moment");
  value = *time;
}

}  // namespace form
