/* Requests: what a server's handlers get and answer. */
#ifndef RPCX_REQUEST_HPP
#define RPCX_REQUEST_HPP

#include "codec.hpp"
#include "operation.hpp"

namespace rpcx {

/// A client's connection to a server. Cheap to copy; does not keep the connection open.
class Connection {
 public:
  /// Takes over a connection of the C interface.
  explicit Connection(rpcx_connection* raw) : raw_(raw, rpcx_connection_free) {}

  /// A number that no other connection of this process has.
  [[nodiscard]] uint64_t id() const noexcept { return rpcx_connection_id(raw_.get()); }
  /// The client's address.
  [[nodiscard]] std::string_view peer() const noexcept { return detail::view(rpcx_connection_peer(raw_.get())); }
  /// Whether it has not ended.
  [[nodiscard]] bool is_open() const noexcept { return rpcx_connection_is_open(raw_.get()); }
  /// Sends a message to the client. ErrorKind::closed when the connection has ended, ErrorKind::limit when too much waits for
  /// it.
  Result<void> push(const std::string& service, const std::string& method, BytesView payload,
                    MetadataView metadata = {}) const {
    return detail::result(rpcx_connection_push(raw_.get(), service.c_str(), method.c_str(), metadata.get(),
                                               detail::slice(payload.view())));
  }
  /// Ends the connection without a word.
  void close() const noexcept { rpcx_connection_close(raw_.get()); }

 private:
  std::shared_ptr<rpcx_connection> raw_;
};

/// A request under way. Its owner answers it once, in the handler or later, from any thread; nothing but its destruction may
/// follow. Destroyed without an answer, it is answered as if its handler had panicked.
class Request {
 public:
  /// Takes over a request of the C interface.
  explicit Request(rpcx_request* raw) noexcept : raw_(raw) {}

  /// The service path asked for; of an alias what it stands for.
  [[nodiscard]] std::string_view service() const noexcept { return detail::view(rpcx_request_service(raw_.get())); }
  /// The method asked for; of an alias what it stands for.
  [[nodiscard]] std::string_view method() const noexcept { return detail::view(rpcx_request_method(raw_.get())); }
  /// The encoded arguments, decompressed.
  [[nodiscard]] std::string_view payload() const noexcept { return detail::view(rpcx_request_payload(raw_.get())); }
  /// How the arguments are encoded, and the answer must be.
  [[nodiscard]] SerializeType serialize_type() const noexcept {
    return static_cast<SerializeType>(rpcx_request_serialize_type(raw_.get()));
  }
  /// The request's metadata, the protocol's own keys among them.
  [[nodiscard]] MetadataView metadata() const noexcept { return MetadataView(rpcx_request_metadata(raw_.get())); }
  /// The caller's address: "host:port", or the path of its Unix socket, which may be empty.
  [[nodiscard]] std::string_view peer() const noexcept { return detail::view(rpcx_request_peer(raw_.get())); }
  /// The subject of the caller's TLS certificate (RFC 4514); empty when it showed none.
  [[nodiscard]] std::string_view tls_subject() const noexcept { return detail::view(rpcx_request_tls_subject(raw_.get())); }
  /// Whether the caller waits for no answer. It is answered all the same, which ends it.
  [[nodiscard]] bool is_oneway() const noexcept { return rpcx_request_is_oneway(raw_.get()); }
  /// Time until the caller stops waiting, zero when it has; none: it gave no deadline.
  [[nodiscard]] std::optional<std::chrono::milliseconds> remaining() const noexcept {
    const uint32_t left = rpcx_request_remaining_ms(raw_.get());
    if (left == RPCX_NO_TIMEOUT) return std::nullopt;
    return std::chrono::milliseconds(left);
  }
  /// Whether the caller has cancelled, its deadline has passed, or its connection has ended.
  [[nodiscard]] bool is_cancelled() const noexcept { return rpcx_request_is_cancelled(raw_.get()); }
  /// Runs `on_cancel`, void(), if the request is cancelled before it is answered: on any thread, or in here if it has been
  /// already. The last one given counts. It may run while another thread answers the request, which it must not touch.
  template <typename OnCancel>
  Result<void> on_cancel(OnCancel on_cancel) const {
    auto completion = detail::sized<rpcx_completion>();
    completion.done = [](void* user_data, rpcx_reply*, rpcx_error*) noexcept { (*static_cast<OnCancel*>(user_data))(); };
    completion.drop_user_data = detail::drop<OnCancel>;
    completion.user_data = new OnCancel(std::move(on_cancel));
    return detail::result(rpcx_request_on_cancel(raw_.get(), &completion));
  }
  /// The parent of the calls that are made for this request: CallOptions::parent(). Needed for calls that are made when the
  /// handler has returned. May be kept longer than the request.
  [[nodiscard]] Result<Context> context() const {
    rpcx_context* raw = nullptr;
    if (auto* error = rpcx_request_context(raw_.get(), &raw)) return Error(error);
    return Context(raw);
  }
  /// The connection that it came on, to push to or to close. May be kept longer than the request.
  [[nodiscard]] Result<Connection> connection() const {
    rpcx_connection* raw = nullptr;
    if (auto* error = rpcx_request_connection(raw_.get(), &raw)) return Error(error);
    return Connection(raw);
  }
  /// Adds a pair to the metadata of the answer. ErrorKind::config when it is not UTF-8.
  Result<void> set_metadata(std::string_view key, std::string_view value) const {
    return detail::result(rpcx_request_set_metadata(raw_.get(), detail::slice(key), detail::slice(value)));
  }
  /// Sends a message to the caller's client, before the answer. ErrorKind::limit when too much waits for the connection,
  /// ErrorKind::unsupported when the client takes none.
  Result<void> push(const std::string& service, const std::string& method, BytesView payload,
                    MetadataView metadata = {}) const {
    return detail::result(rpcx_request_push(raw_.get(), service.c_str(), method.c_str(), metadata.get(),
                                            detail::slice(payload.view())));
  }

  /// Answers with an encoded reply, which is copied. As of all answers, what goes wrong with it is told to the caller.
  void answer(BytesView payload) noexcept {
    rpcx_error_free(rpcx_request_answer(raw_.release(), detail::slice(payload.view())));
  }
  /// Answers with an encoded reply that is handed over.
  void answer(Buffer&& payload) noexcept {
    const rpcx_buffer kept = payload.take();
    rpcx_error_free(rpcx_request_answer_buffer(raw_.release(), &kept));
  }
  /// Answers with a value, encoded as the arguments were.
  template <typename T>
  void answer_value(const T& value) {
    auto payload = encode(serialize_type(), value);
    if (payload) {
      answer(*payload);
    } else {
      fail(Error("codec.server", payload.error().message()));
    }
  }
  /// Answers with the service's own error: the caller reads exactly `message`.
  void fail(std::string_view message) noexcept {
    rpcx_error_free(rpcx_request_fail(raw_.release(), detail::slice(message)));
  }
  /// Answers with an error, such as that of a nested call.
  void fail(const Error& error) noexcept { rpcx_error_free(rpcx_request_fail_with(raw_.release(), error.get())); }

  /// Whether it has not been answered or moved away.
  explicit operator bool() const noexcept { return raw_ != nullptr; }

 private:
  detail::Handle<rpcx_request, rpcx_request_free> raw_;
};

/// A request whose answer is a `Value`: what a typed handler gets that answers later.
template <typename Value>
class Responder {
 public:
  /// Of a request.
  explicit Responder(Request request) noexcept : request_(std::move(request)) {}

  /// Answers with a value, encoded as the arguments were.
  void answer(const Value& value) { request_.answer_value(value); }
  /// Answers with a value or an error.
  void answer(const Result<Value>& result) {
    if (result) {
      answer(*result);
    } else {
      fail(result.error());
    }
  }
  /// Answers with the service's own error: the caller reads exactly `message`.
  void fail(std::string_view message) noexcept { request_.fail(message); }
  /// Answers with an error, such as that of a nested call.
  void fail(const Error& error) noexcept { request_.fail(error); }
  /// The request.
  [[nodiscard]] Request& request() noexcept { return request_; }

 private:
  Request request_;
};

/// A token to be judged once, from any thread. Destroyed without that, it is refused.
class Auth {
 public:
  /// Takes over a token of the C interface.
  explicit Auth(rpcx_auth* raw) noexcept : raw_(raw) {}

  /// The token; empty when the request has none. It is a secret.
  [[nodiscard]] std::string_view token() const noexcept { return detail::view(rpcx_auth_token(raw_.get())); }
  /// The service path asked for.
  [[nodiscard]] std::string_view service() const noexcept { return detail::view(rpcx_auth_service(raw_.get())); }
  /// The method asked for.
  [[nodiscard]] std::string_view method() const noexcept { return detail::view(rpcx_auth_method(raw_.get())); }
  /// The caller's address.
  [[nodiscard]] std::string_view peer() const noexcept { return detail::view(rpcx_auth_peer(raw_.get())); }
  /// The subject of the caller's TLS certificate (RFC 4514); empty when it showed none.
  [[nodiscard]] std::string_view tls_subject() const noexcept { return detail::view(rpcx_auth_tls_subject(raw_.get())); }
  /// The request's metadata.
  [[nodiscard]] MetadataView metadata() const noexcept { return MetadataView(rpcx_auth_metadata(raw_.get())); }
  /// Lets the request pass.
  void accept() noexcept { rpcx_auth_accept(raw_.release()); }
  /// Refuses the request, whose caller reads `message`.
  void refuse(std::string_view message) noexcept { rpcx_error_free(rpcx_auth_refuse(raw_.release(), detail::slice(message))); }

 private:
  detail::Handle<rpcx_auth, rpcx_auth_free> raw_;
};

}  // namespace rpcx

#endif
