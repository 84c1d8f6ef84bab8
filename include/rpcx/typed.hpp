/* Typed calls: values in, values out. */
#ifndef RPCX_TYPED_HPP
#define RPCX_TYPED_HPP

#include "client.hpp"
#include "codec.hpp"

namespace rpcx {

/// A decoded reply.
template <typename T>
struct Response {
  /// One whose value is to be decoded.
  explicit Response(Reply from) : value{}, reply(std::move(from)) {}

  T value;      ///< What the service answered.
  Reply reply;  ///< Metadata, server and attempts; the payload too.
};

namespace detail {

/// Decodes replies.
template <typename T>
struct ReadValue {
  SerializeType type;

  Result<Response<T>> operator()(rpcx_reply* raw) const {
    // In its place: moving a large message costs as much as decoding a small one.
    Result<Response<T>> response(std::in_place, Reply(raw));
    auto decoded = Codec<T>::decode(type, response->reply.payload(), response->value);
    if (!decoded) response = std::move(decoded).error();
    return response;
  }
};

/// Decodes replies into a value of the caller's.
template <typename T>
struct ReadInto {
  SerializeType type;
  T* value;

  Result<Reply> operator()(rpcx_reply* raw) const {
    Reply reply(raw);
    auto decoded = Codec<T>::decode(type, reply.payload(), *value);
    if (!decoded) return std::move(decoded).error();
    return reply;
  }
};

/// Starts a typed call, whose arguments are encoded here and whose reply `Read` decodes.
template <typename Read>
struct TypedStarter {
  CallStarter call;
  Read read;
  std::string payload = {};
  Handle<rpcx_config, rpcx_config_free> config = nullptr;  // options by name, where the call has some

  rpcx_error* start(const rpcx_completion* completion, rpcx_call** out) {
    call.payload = slice(payload);
    return call.start(completion, out);
  }
  rpcx_error* wait(rpcx_reply** reply) {
    call.payload = slice(payload);
    return call.wait(reply);
  }
  Read reader() const noexcept { return read; }
};

}  // namespace detail

/// A typed call that has not begun.
template <typename Value>
using TypedOperation = Operation<Response<Value>, detail::TypedStarter<detail::ReadValue<Value>>>;

/// A typed call that has not begun, and decodes its reply into a value of the caller's.
template <typename Value>
using OperationInto = Operation<Reply, detail::TypedStarter<detail::ReadInto<Value>>>;

/// A method whose arguments are `Args` and whose replies are `Value`, by their Codec. Cheap to copy; may be used on any
/// threads.
///
///     auto mul = client.service("Arith").method<Args, Product>("Mul").value();
///     int product = mul.call({6, 7}).wait().value().value.c;
template <typename Args, typename Value>
class TypedMethod {
 public:
  /// Gives a method its types. `type` is how arguments and replies are encoded.
  [[nodiscard]] static Result<TypedMethod> make(Method method, SerializeType type = Codec<Args>::preferred) {
    auto options = std::make_shared<CallOptions>();
    options->serialize_type(type);
    if (auto* error = options->mistake()) return Error(error);
    return TypedMethod(std::move(method), type, std::move(options));
  }

  /// Calls it with arguments that are encoded at once. `options` need not name the serialize type: it is the method's.
  [[nodiscard]] TypedOperation<Value> call(const Args& args, const CallOptions& options = CallOptions::defaults(),
                                           CallKind kind = CallKind::call) const {
    return TypedOperation<Value>(prepare(args, detail::ReadValue<Value>{type_}, options, kind));
  }
  /// As call(), but the reply is decoded into `value`, whose memory is used again: for those who make call after call with
  /// large messages. Until the call has ended `value` must live, and belongs to the call; if it fails, what is in it is
  /// undefined.
  ///
  ///     Product product;
  ///     while (work()) mul.call_into(args, product).wait().value();
  [[nodiscard]] OperationInto<Value> call_into(const Args& args, Value& value,
                                               const CallOptions& options = CallOptions::defaults(),
                                               CallKind kind = CallKind::call) const {
    return OperationInto<Value>(prepare(args, detail::ReadInto<Value>{type_, &value}, options, kind));
  }
  /// Calls it with the default options: the cheapest way.
  [[nodiscard]] TypedOperation<Value> operator()(const Args& args) const { return call(args); }

  /// Decodes a part of a reply, as of a batch or an inform.
  [[nodiscard]] Result<Value> decode(const Result<ReplyView>& part) const {
    if (!part) return part.error();
    return rpcx::decode<Value>(type_, part->payload());
  }
  /// Adds a call to a batch.
  Result<void> add_to(Batch& batch, const Args& args) const {
    auto payload = encode(type_, args);
    if (!payload) return std::move(payload).error();
    return batch.add(method_, *payload, *options_);
  }
  /// The method in bytes.
  [[nodiscard]] const Method& raw() const noexcept { return method_; }
  /// How arguments and replies are encoded.
  [[nodiscard]] SerializeType serialize_type() const noexcept { return type_; }

 private:
  TypedMethod(Method method, SerializeType type, std::shared_ptr<CallOptions> options)
      : method_(std::move(method)), type_(type), options_(std::move(options)) {}

  template <typename Read>
  detail::TypedStarter<Read> prepare(const Args& args, Read read, const CallOptions& options, CallKind kind) const {
    auto raw = options.raw(static_cast<uint32_t>(kind));
    detail::TypedStarter<Read> starter{{method_.get(), rpcx_slice{}, raw, nullptr, {}}, read};
    if (auto* error = options.mistake()) starter.call.mistake.note(error);
    if (options.named().empty()) {
      starter.call.options.config = options_->raw().config;
    } else {
      starter.config = with_type(options, starter.call.mistake);
      starter.call.options.config = starter.config.get();
    }
    auto encoded = Codec<Args>::encode(type_, args, starter.payload);
    if (!encoded) starter.call.mistake.note(std::move(encoded).error().release());
    return starter;
  }

  detail::Handle<rpcx_config, rpcx_config_free> with_type(const CallOptions& options, detail::Mistake& mistake) const {
    rpcx_config* raw = nullptr;
    mistake.note(rpcx_config_new(RPCX_SCOPE_CALL, &raw));
    detail::Handle<rpcx_config, rpcx_config_free> config(raw);
    if (!config) return config;
    for (const auto& [name, value] : options.named()) mistake.note(rpcx_config_set(raw, name.c_str(), value.c_str()));
    mistake.note(rpcx_config_set(raw, "serialize_type", to_string(type_).c_str()));
    return config;
  }

  Method method_;
  SerializeType type_;
  std::shared_ptr<const CallOptions> options_;
};

}  // namespace rpcx

#endif
