/* Payloads: borrowed bytes, and bytes that are handed over instead of copied. */
#ifndef RPCX_BYTES_HPP
#define RPCX_BYTES_HPP

#include "detail.hpp"

namespace rpcx {

/// Bytes of somebody else's: made from std::string, std::string_view, text, std::vector<uint8_t>, std::span<const std::byte>
/// and whatever else has data() and size() of single bytes. As an argument it is read before the function returns, or, of
/// an Operation, when that is started.
class BytesView {
 public:
  /// No bytes.
  constexpr BytesView() noexcept = default;
  /// So many bytes from there.
  BytesView(const void* data, size_t size) noexcept : bytes_(static_cast<const char*>(data), size) {}
  /// Text up to its NUL.
  constexpr BytesView(const char* text) noexcept : bytes_(text) {}
  /// The bytes of a container.
  template <typename C, typename = std::enable_if_t<!std::is_array_v<C> && sizeof(*std::declval<const C&>().data()) == 1 &&
                                                    std::is_convertible_v<decltype(std::declval<const C&>().size()), size_t>>>
  BytesView(const C& bytes) noexcept : BytesView(static_cast<const void*>(bytes.data()), bytes.size()) {}

  /// The first byte.
  [[nodiscard]] constexpr const char* data() const noexcept { return bytes_.data(); }
  /// How many there are.
  [[nodiscard]] constexpr size_t size() const noexcept { return bytes_.size(); }
  /// The same as text.
  [[nodiscard]] constexpr std::string_view view() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

/// A payload that is handed over instead of copied: worth it from some ten KiB on. The library destroys the container when
/// it has no more use for it, on any thread.
class Buffer {
 public:
  /// Takes over a container of single bytes: std::string, std::vector<uint8_t>, …
  template <typename C, typename = std::enable_if_t<std::is_rvalue_reference_v<C&&>>>
  explicit Buffer(C&& bytes) : raw_(detail::sized<rpcx_buffer>()) {
    static_assert(sizeof(*bytes.data()) == 1, "a container of single bytes");
    auto kept = std::make_unique<C>(std::move(bytes));
    raw_.data = reinterpret_cast<const uint8_t*>(kept->data());
    raw_.len = kept->size();
    raw_.release = detail::drop<C>;
    raw_.user_data = kept.release();
  }
  Buffer(Buffer&& other) noexcept : raw_(other.take()) {}
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer old(std::move(*this));
    raw_ = other.take();
    return *this;
  }
  ~Buffer() {
    if (raw_.release) raw_.release(raw_.user_data);
  }

  /// The bytes.
  [[nodiscard]] std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(raw_.data), raw_.len};
  }

  /// Gives the bytes to a function of the C interface that takes an rpcx_buffer; none are left.
  [[nodiscard]] rpcx_buffer take() noexcept { return std::exchange(raw_, detail::sized<rpcx_buffer>()); }

 private:
  rpcx_buffer raw_;
};

/// How a payload is encoded; the numbers are the wire's.
enum class SerializeType : uint32_t {
  raw = RPCX_SERIALIZE_RAW,            ///< Bytes as they are.
  json = RPCX_SERIALIZE_JSON,          ///< JSON.
  protobuf = RPCX_SERIALIZE_PROTOBUF,  ///< A bare Protocol Buffers message.
  msgpack = RPCX_SERIALIZE_MSGPACK,    ///< MessagePack, the default.
  thrift = RPCX_SERIALIZE_THRIFT,      ///< A struct in Thrift's binary protocol.
};

/// The name of a serialize type, as the option `serialize_type` takes it.
[[nodiscard]] inline std::string to_string(SerializeType type) {
  switch (type) {
    case SerializeType::raw: return "raw";
    case SerializeType::json: return "json";
    case SerializeType::protobuf: return "protobuf";
    case SerializeType::msgpack: return "msgpack";
    case SerializeType::thrift: return "thrift";
  }
  return std::to_string(static_cast<uint32_t>(type));
}

}  // namespace rpcx

#endif
