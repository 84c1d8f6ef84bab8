/* Codecs: how values of a type become payloads. */
#ifndef RPCX_CODEC_HPP
#define RPCX_CODEC_HPP

#include "bytes.hpp"
#include "error.hpp"

namespace rpcx {

/// How values of `T` are encoded and decoded: specialize it for your types, or use those that are here: std::string (raw
/// bytes) and every message of Protocol Buffers. rpcx/nlohmann.hpp has one for JSON and MessagePack.
///
///     template <>
///     struct rpcx::Codec<Point> {
///       static constexpr rpcx::SerializeType preferred = rpcx::SerializeType::json;
///       static rpcx::Result<void> encode(rpcx::SerializeType, const Point&, std::string& out);
///       static rpcx::Result<void> decode(rpcx::SerializeType, std::string_view payload, Point& out);
///     };
///
/// `preferred` is what calls use unless they say otherwise; a server gets what its callers chose, and answers in the same.
/// `out` of encode() is empty. A serialize type that the codec does not speak is unsupported(type). Both run on any thread.
template <typename T, typename = void>
struct Codec;

/// The error of a codec that does not speak a serialize type.
inline Error unsupported(SerializeType type) {
  return Error("codec.unsupported", "the type does not speak " + to_string(type));
}

/// The error of a value that cannot be encoded.
inline Error encode_error(std::string_view why) { return Error("codec.encode", why); }

/// The error of a payload that cannot be decoded.
inline Error decode_error(std::string_view why) { return Error("codec.decode", why); }

/// Bytes as they are, in every serialize type.
template <>
struct Codec<std::string> {
  /// Raw.
  static constexpr SerializeType preferred = SerializeType::raw;
  /// Copies.
  static Result<void> encode(SerializeType, const std::string& value, std::string& out) {
    out = value;
    return {};
  }
  /// Copies.
  static Result<void> decode(SerializeType, std::string_view payload, std::string& out) {
    out.assign(payload);
    return {};
  }
};

/// Whatever looks like a message of Protocol Buffers.
template <typename T>
struct Codec<T, std::void_t<decltype(std::declval<const T&>().SerializeAsString()),
                            decltype(std::declval<const T&>().SerializeToString(static_cast<std::string*>(nullptr))),
                            decltype(std::declval<T&>().ParseFromArray(static_cast<const void*>(nullptr), 0))>> {
  /// Protocol Buffers.
  static constexpr SerializeType preferred = SerializeType::protobuf;
  /// Fails when a required field is missing.
  static Result<void> encode(SerializeType type, const T& value, std::string& out) {
    if (type != SerializeType::protobuf) return unsupported(type);
    if (!value.SerializeToString(&out)) return encode_error("the message is incomplete or too large");
    return {};
  }
  /// Fails when it is no such message.
  static Result<void> decode(SerializeType type, std::string_view payload, T& out) {
    if (type != SerializeType::protobuf) return unsupported(type);
    if (payload.size() > INT32_MAX || !out.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
      return decode_error("the payload is no such message");
    }
    return {};
  }
};

/// Encodes a value.
template <typename T>
Result<std::string> encode(SerializeType type, const T& value) {
  std::string out;
  auto encoded = Codec<T>::encode(type, value, out);
  if (!encoded) return std::move(encoded).error();
  return out;
}

/// Decodes a payload.
template <typename T>
Result<T> decode(SerializeType type, std::string_view payload) {
  T out{};
  auto decoded = Codec<T>::decode(type, payload, out);
  if (!decoded) return std::move(decoded).error();
  return out;
}

}  // namespace rpcx

#endif
