/* Arguments and replies of the test services, and their codecs. The names on the wire are Go's. */
#pragma once

#include <rpcx.hpp>

#include "arith.pb.h"
#include "form.hpp"

namespace messages {

using form::Bytes;
using form::Json;

/// Nothing.
struct Nothing {
  template <typename S, typename V>
  static void fields(S&, V&&) {}
};

/// Arguments of `Arith`.
struct ArithArgs {
  int64_t a = 0, b = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("A", self.a), visit("B", self.b);
  }
};

/// The reply of `Arith`.
struct ArithReply {
  int64_t c = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("C", self.c);
  }
};

/// A string by itself.
struct Text {
  std::string text;
};

/// Any value.
struct Value {
  Json value;
};

/// Arguments of `Test.Sleep` and `Test.Block`.
struct SleepArgs {
  int64_t ms = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Ms", self.ms);
  }
};

/// Milliseconds slept.
struct SleepReply {
  int64_t slept = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Slept", self.slept);
  }
};

/// Arguments of `Test.Fail` and `Test.Panic`.
struct TextArgs {
  std::string text;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Text", self.text);
  }
};

/// Arguments of `Test.Size`; in raw a decimal number.
struct SizeArgs {
  int64_t bytes = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Bytes", self.bytes);
  }
};

/// The reply of `Test.Size`; in raw the bytes alone.
struct SizeReply {
  Bytes data;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Data", self.data);
  }
};

/// Arguments of `Test.Count`: a `Service.Method`.
struct CountArgs {
  std::string method;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Method", self.method);
  }
};

/// How often a method ran.
struct CountReply {
  int64_t started = 0, finished = 0, cancelled = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Started", self.started), visit("Finished", self.finished), visit("Cancelled", self.cancelled);
  }
};

/// Milliseconds until a deadline; -1 without one.
struct MsReply {
  int64_t ms = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Ms", self.ms);
  }
};

/// Who calls.
struct PeerReply {
  std::string address, tls;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Address", self.address), visit("Tls", self.tls);
  }
};

/// Arguments of `Test.Nested`.
struct NestedArgs {
  std::string address;
  int64_t depth = 0, ms = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Address", self.address), visit("Depth", self.depth), visit("Ms", self.ms);
  }
};

/// Arguments of `Test.Push`.
struct PushArgs {
  int64_t count = 0;
  std::string text;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Count", self.count), visit("Text", self.text);
  }
};

/// Two numbers, as part of Types.
struct Nested {
  int64_t a = 0, b = 0;
  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("A", self.a), visit("B", self.b);
  }
};

/// A field of every type.
struct Types {
  bool boolean = false;
  int8_t i8 = 0;
  int16_t i16 = 0;
  int32_t i32 = 0;
  int64_t i64 = 0;
  uint8_t u8 = 0;
  uint16_t u16 = 0;
  uint32_t u32 = 0;
  uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
  std::string str;
  Bytes bytes;
  form::Time time;
  int64_t dur = 0;
  std::vector<int64_t> int_list;
  std::vector<std::string> str_list;
  std::map<std::string, int64_t> map;
  Nested nested;
  std::optional<Nested> ptr;
  std::vector<Nested> list;

  template <typename S, typename V>
  static void fields(S& self, V&& visit) {
    visit("Bool", self.boolean), visit("I8", self.i8), visit("I16", self.i16), visit("I32", self.i32);
    visit("I64", self.i64), visit("U8", self.u8), visit("U16", self.u16), visit("U32", self.u32), visit("U64", self.u64);
    visit("F32", self.f32), visit("F64", self.f64), visit("Str", self.str), visit("Bytes", self.bytes);
    visit("Time", self.time), visit("Dur", self.dur), visit("IntList", self.int_list), visit("StrList", self.str_list);
    visit("Map", self.map), visit("Nested", self.nested), visit("Ptr", self.ptr), visit("List", self.list);
  }
};

/// So many bytes: byte `i` is `(31 * i + 7) mod 256`.
inline std::string pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<char>(31 * i + 7);
  return bytes;
}

inline Json write(form::Form, const Text& text) { return text.text; }
inline Json write(form::Form form, const Value& value) { return form::write(form, value.value); }
inline void read(form::Form form, const Json& json, Text& text) {
  if (!json.is_null()) form::read(form, json, text.text);
}
inline void read(form::Form, const Json& json, Value& value) { value.value = json; }

/// JSON and MessagePack.
template <typename T>
struct SerdeCodec {
  static constexpr rpcx::SerializeType preferred = rpcx::SerializeType::msgpack;

  static rpcx::Result<void> encode(rpcx::SerializeType type, const T& value, std::string& out) {
    using form::write;
    try {
      switch (type) {
        case rpcx::SerializeType::json: out = write(form::Form::json, value).dump(); return {};
        case rpcx::SerializeType::msgpack: Json::to_msgpack(write(form::Form::msgpack, value), out); return {};
        default: return rpcx::unsupported(type);
      }
    } catch (const std::exception& why) {
      return rpcx::encode_error(why.what());
    }
  }

  static rpcx::Result<void> decode(rpcx::SerializeType type, std::string_view payload, T& out) {
    using form::read;
    try {
      switch (type) {
        case rpcx::SerializeType::json: read(form::Form::json, Json::parse(payload), out); return {};
        case rpcx::SerializeType::msgpack: read(form::Form::msgpack, Json::from_msgpack(payload), out); return {};
        default: return rpcx::unsupported(type);
      }
    } catch (const std::exception& why) {
      return rpcx::decode_error(why.what());
    }
  }

  static bool speaks(rpcx::SerializeType type) {
    return type == rpcx::SerializeType::json || type == rpcx::SerializeType::msgpack;
  }
};

/// Protocol Buffers beside the two: `Message` is what protoc made, `copy` moves the fields.
template <typename T, typename Message>
struct ArithCodec : SerdeCodec<T> {
  static rpcx::Result<void> encode(rpcx::SerializeType type, const T& value, std::string& out) {
    if (type != rpcx::SerializeType::protobuf) return SerdeCodec<T>::encode(type, value, out);
    Message message;
    to(value, message);
    return rpcx::Codec<Message>::encode(type, message, out);
  }

  static rpcx::Result<void> decode(rpcx::SerializeType type, std::string_view payload, T& out) {
    if (type != rpcx::SerializeType::protobuf) return SerdeCodec<T>::decode(type, payload, out);
    Message message;
    auto decoded = rpcx::Codec<Message>::decode(type, payload, message);
    if (decoded) from(message, out);
    return decoded;
  }

  static bool speaks(rpcx::SerializeType type) {
    return type == rpcx::SerializeType::protobuf || SerdeCodec<T>::speaks(type);
  }

 private:
  static void to(const ArithArgs& value, interop::ArithArgs& message) { message.set_a(value.a), message.set_b(value.b); }
  static void to(const ArithReply& value, interop::ArithReply& message) { message.set_c(value.c); }
  static void from(const interop::ArithArgs& message, ArithArgs& value) { value = {message.a(), message.b()}; }
  static void from(const interop::ArithReply& message, ArithReply& value) { value = {message.c()}; }
};

}  // namespace messages

namespace rpcx {

/// Every struct that says its fields.
template <typename T>
struct Codec<T, std::void_t<decltype(T::fields(std::declval<T&>(), form::AnyField()))>> : messages::SerdeCodec<T> {
};

template <>
struct Codec<messages::Text> : messages::SerdeCodec<messages::Text> {};

template <>
struct Codec<messages::Value> : messages::SerdeCodec<messages::Value> {};

template <>
struct Codec<messages::ArithArgs> : messages::ArithCodec<messages::ArithArgs, interop::ArithArgs> {};

template <>
struct Codec<messages::ArithReply> : messages::ArithCodec<messages::ArithReply, interop::ArithReply> {};

/// In raw a decimal number.
template <>
struct Codec<messages::SizeArgs> : messages::SerdeCodec<messages::SizeArgs> {
  static Result<void> encode(SerializeType type, const messages::SizeArgs& value, std::string& out) {
    if (type != SerializeType::raw) return SerdeCodec::encode(type, value, out);
    out = std::to_string(value.bytes);
    return {};
  }
  static Result<void> decode(SerializeType type, std::string_view payload, messages::SizeArgs& out) {
    if (type != SerializeType::raw) return SerdeCodec::decode(type, payload, out);
    const auto number = form::Json::parse(payload, nullptr, false);
    if (!number.is_number_integer()) return decode_error("expected a decimal number");
    out.bytes = number.get<int64_t>();
    return {};
  }
};

/// In raw the bytes alone.
template <>
struct Codec<messages::SizeReply> : messages::SerdeCodec<messages::SizeReply> {
  static Result<void> encode(SerializeType type, const messages::SizeReply& value, std::string& out) {
    if (type != SerializeType::raw) return SerdeCodec::encode(type, value, out);
    out = value.data.data;
    return {};
  }
};

}  // namespace rpcx
