/* Interceptors: code around every call of a client, or around every handler of a server. */
#ifndef RPCX_INTERCEPTOR_HPP
#define RPCX_INTERCEPTOR_HPP

#include "reply.hpp"

namespace rpcx {

/// A call at an interceptor, which looks at it, changes it, and lets it go on or ends it, at once or later and from any
/// thread. Destroyed without that, the call fails with ErrorKind::internal.
class Interception {
 public:
  /// Takes over an interception of the C interface.
  explicit Interception(rpcx_interception* raw) noexcept : raw_(raw) {}

  /// The service path.
  [[nodiscard]] std::string_view service() const noexcept { return detail::view(rpcx_interception_service(raw_.get())); }
  /// The method.
  [[nodiscard]] std::string_view method() const noexcept { return detail::view(rpcx_interception_method(raw_.get())); }
  /// The encoded arguments.
  [[nodiscard]] std::string_view payload() const noexcept { return detail::view(rpcx_interception_payload(raw_.get())); }
  /// How arguments and reply are encoded.
  [[nodiscard]] SerializeType serialize_type() const noexcept {
    return static_cast<SerializeType>(rpcx_interception_serialize_type(raw_.get()));
  }
  /// The other side: on a server the client's address, on a client the server's where it is known already, else empty.
  [[nodiscard]] std::string_view peer() const noexcept { return detail::view(rpcx_interception_peer(raw_.get())); }
  /// Whether nobody waits for an answer.
  [[nodiscard]] bool is_oneway() const noexcept { return rpcx_interception_is_oneway(raw_.get()); }
  /// Time until the caller stops waiting, zero when it has; none: it gave no deadline.
  [[nodiscard]] std::optional<std::chrono::milliseconds> remaining() const noexcept {
    const uint32_t left = rpcx_interception_remaining_ms(raw_.get());
    if (left == RPCX_NO_TIMEOUT) return std::nullopt;
    return std::chrono::milliseconds(left);
  }
  /// The request's metadata.
  [[nodiscard]] MetadataView metadata() const noexcept { return MetadataView(rpcx_interception_metadata(raw_.get())); }
  /// Sets a pair of the request's metadata before the call goes on. ErrorKind::config when it is not UTF-8.
  Result<void> set_metadata(std::string_view key, std::string_view value) {
    return detail::result(
        rpcx_metadata_set(rpcx_interception_metadata(raw_.get()), detail::slice(key), detail::slice(value)));
  }
  /// Takes a pair out before the call goes on; whether it was there.
  bool remove_metadata(std::string_view key) noexcept {
    return rpcx_metadata_remove(rpcx_interception_metadata(raw_.get()), detail::slice(key));
  }
  /// Replaces the encoded arguments before the call goes on; they are copied.
  Result<void> set_payload(BytesView payload) {
    return detail::result(rpcx_interception_set_payload(raw_.get(), detail::slice(payload.view())));
  }

  /// Goes on with the call, and lets its result pass as it is.
  Result<void> pass() && { return detail::result(rpcx_interception_pass(raw_.release())); }

  /// Goes on with the call. `done`, void(Interception, Result<Reply>), gets its result on a thread of the library, and ends
  /// the interception with reply() or fail().
  template <typename Done>
  Result<void> next(Done done) && {
    struct State {
      Done done;
      Interception call;
    };
    auto* raw = raw_.get();
    auto completion = detail::sized<rpcx_completion>();
    completion.done = [](void* user_data, rpcx_reply* reply, rpcx_error* error) noexcept {
      auto& state = *static_cast<State*>(user_data);
      if (error) {
        state.done(std::move(state.call), Result<Reply>(Error(error)));
      } else {
        state.done(std::move(state.call), Result<Reply>(Reply(reply)));
      }
    };
    completion.drop_user_data = detail::drop<State>;
    completion.user_data = new State{std::move(done), std::move(*this)};
    return detail::result(rpcx_interception_next(raw, &completion));
  }

  /// Ends it with a reply, such as that of next() or of Reply::make().
  Result<void> reply(Reply reply) && {
    return detail::result(rpcx_interception_reply(raw_.release(), reply.release()));
  }
  /// Ends it with an error, such as that of next().
  Result<void> fail(Error error) && {
    return detail::result(rpcx_interception_fail(raw_.release(), error.release()));
  }
  /// Ends it with a result.
  Result<void> end(Result<Reply> result) && {
    if (result) return std::move(*this).reply(std::move(*result));
    return std::move(*this).fail(std::move(result).error());
  }

 private:
  detail::Handle<rpcx_interception, rpcx_interception_free> raw_;
};

}  // namespace rpcx

#endif
