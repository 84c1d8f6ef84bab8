/* A codec for JSON and MessagePack by nlohmann/json. Not included by rpcx.hpp. */
#ifndef RPCX_NLOHMANN_HPP
#define RPCX_NLOHMANN_HPP

#include <nlohmann/json.hpp>

#include "codec.hpp"

namespace rpcx {

/// Speaks JSON and MessagePack for types that nlohmann/json can read and write:
///
///     struct Args { int64_t a, b; };
///     NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Args, a, b)
///     template <> struct rpcx::Codec<Args> : rpcx::NlohmannCodec<Args> {};
///
/// In JSON a byte string is an array of numbers, where Go has base64: types with such fields need a codec of their own for JSON.
template <typename T>
struct NlohmannCodec {
  /// MessagePack, the protocol's default.
  static constexpr SerializeType preferred = SerializeType::msgpack;

  /// Fails for text that is not UTF-8.
  static Result<void> encode(SerializeType type, const T& value, std::string& out) {
    try {
      const nlohmann::json json = value;
      switch (type) {
        case SerializeType::json: out = json.dump(); return {};
        case SerializeType::msgpack: nlohmann::json::to_msgpack(json, out); return {};
        default: return unsupported(type);
      }
    } catch (const nlohmann::json::exception& error) {
      return encode_error(error.what());
    }
  }

  /// Fails for what is no such value. A nil or null stands for a value of all defaults.
  static Result<void> decode(SerializeType type, std::string_view payload, T& out) {
    try {
      nlohmann::json json;
      switch (type) {
        case SerializeType::json: json = nlohmann::json::parse(payload); break;
        case SerializeType::msgpack: json = nlohmann::json::from_msgpack(payload); break;
        default: return unsupported(type);
      }
      out = json.is_null() && !std::is_same_v<T, nlohmann::json> ? T{} : json.get<T>();
      return {};
    } catch (const nlohmann::json::exception& error) {
      return decode_error(error.what());
    }
  }
};

/// Values whose type nobody knows.
template <>
struct Codec<nlohmann::json> : NlohmannCodec<nlohmann::json> {};

}  // namespace rpcx

#endif
