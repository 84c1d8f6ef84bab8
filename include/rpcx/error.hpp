/* Errors, and results that are a value or an error. */
#ifndef RPCX_ERROR_HPP
#define RPCX_ERROR_HPP

#include <exception>
#include <new>
#include <optional>
#include <variant>

#include "detail.hpp"

#if __has_include(<version>)
#include <version>
#endif
#if defined(__cpp_lib_expected)
#include <expected>
#endif

namespace rpcx {

/// What kind of failure it is; the same numbers in every language. docs/ERRORS.md describes them.
enum class ErrorKind : uint32_t {
  config = RPCX_ERROR_CONFIG,                ///< An argument or option is not acceptable.
  connect = RPCX_ERROR_CONNECT,              ///< No connection could be opened.
  no_server = RPCX_ERROR_NO_SERVER,          ///< Discovery or the selector had no server to offer.
  timeout = RPCX_ERROR_TIMEOUT,              ///< The deadline of the call passed.
  service = RPCX_ERROR_SERVICE,              ///< The service itself answered with an error.
  cancelled = RPCX_ERROR_CANCELLED,          ///< The call was given up before its answer came.
  overload = RPCX_ERROR_OVERLOAD,            ///< Refused because too much is waiting or running.
  protocol = RPCX_ERROR_PROTOCOL,            ///< Bytes on the connection are not what the protocol allows.
  codec = RPCX_ERROR_CODEC,                  ///< Arguments or a reply could not be encoded or decoded.
  limit = RPCX_ERROR_LIMIT,                  ///< A size or count is above a configured limit.
  auth = RPCX_ERROR_AUTH,                    ///< The server did not accept the caller's token.
  closed = RPCX_ERROR_CLOSED,                ///< The connection, or the client, ended before the answer came.
  shutting_down = RPCX_ERROR_SHUTTING_DOWN,  ///< The server is going away and takes no new calls.
  unsupported = RPCX_ERROR_UNSUPPORTED,      ///< This build or this peer cannot do what was asked.
  internal = RPCX_ERROR_INTERNAL,            ///< A panic or a broken invariant of the library.
};

/// How far a failed request got: what a retry may assume.
enum class Delivery : uint32_t {
  not_sent = RPCX_DELIVERY_NOT_SENT,    ///< No handler can have run.
  maybe_run = RPCX_DELIVERY_MAYBE_RUN,  ///< A handler may have run, or may still run.
  answered = RPCX_DELIVERY_ANSWERED,    ///< The server answered.
};

/// Why something failed. Immutable; may be read by any thread. As an exception it is what Result::value() throws.
class [[nodiscard]] Error : public std::exception {
 public:
  /// The service's own error: its callers read exactly `message`.
  explicit Error(std::string_view message) : Error("service.error", message) {}

  /// An error with a reason of docs/ERRORS.md, such as "overload.rate"; any other gives "service.error".
  Error(const char* reason, std::string_view message) : raw_(rpcx_error_new(reason, detail::slice(message))) {}

  /// Takes over an error of the C interface, which must not be NULL.
  explicit Error(rpcx_error* raw) noexcept : raw_(raw) {}

  Error(const Error& other) noexcept : std::exception(other), raw_(rpcx_error_clone(other.get())) {}
  Error(Error&&) noexcept = default;
  Error& operator=(const Error& other) noexcept {
    raw_.reset(rpcx_error_clone(other.get()));
    return *this;
  }
  Error& operator=(Error&&) noexcept = default;
  ~Error() override = default;

  /// What kind of failure it is.
  [[nodiscard]] ErrorKind kind() const noexcept { return static_cast<ErrorKind>(rpcx_error_kind(get())); }
  /// The kind's name: "timeout".
  [[nodiscard]] std::string_view kind_name() const noexcept { return detail::view(rpcx_error_kind_name(get())); }
  /// Why exactly, a stable name within the kind: "timeout.call".
  [[nodiscard]] std::string_view reason() const noexcept { return detail::view(rpcx_error_reason(get())); }
  /// How far the request got.
  [[nodiscard]] Delivery delivery() const noexcept { return static_cast<Delivery>(rpcx_error_delivery(get())); }
  /// The bare text, in one line. Of kind `service` exactly the server's words.
  [[nodiscard]] std::string_view message() const noexcept { return detail::view(rpcx_error_message(get())); }
  /// The text to print: the message, the reason, and what to do about it.
  [[nodiscard]] const char* what() const noexcept override {
    const char* text = rpcx_error_text(get());
    return text ? text : "rpcx::Error";
  }
  /// The server of the last attempt, as the discovery spells it; empty when none was selected.
  [[nodiscard]] std::string_view server() const noexcept { return detail::view(rpcx_error_server(get())); }
  /// Attempts that were made, failed dials included.
  [[nodiscard]] uint32_t attempts() const noexcept { return rpcx_error_attempts(get()); }
  /// Whether calling again is safe and may help; `idempotent`: running the handler twice does no harm.
  [[nodiscard]] bool is_retryable(bool idempotent = false) const noexcept {
    return rpcx_error_is_retryable(get(), idempotent);
  }

  /// The error for functions of the C interface; NULL after a move.
  [[nodiscard]] const rpcx_error* get() const noexcept { return raw_.get(); }
  /// Gives the error to the caller, who frees it with rpcx_error_free().
  [[nodiscard]] rpcx_error* release() noexcept { return raw_.release(); }

 private:
  detail::ErrorHandle raw_;
};

namespace detail {

/// Ends what asked for a value that is not there.
[[noreturn]] inline void raise(const Error& error) {
#if RPCX_EXCEPTIONS
  throw error;
#else
  std::fprintf(stderr, "rpcx: %s\n", error.what());
  std::abort();
#endif
}

}  // namespace detail

/// A value, or the Error that came instead.
///
///     if (auto reply = mul.call(payload).wait()) use(reply->payload());
///     else std::cerr << reply.error().what();
template <typename T>
class [[nodiscard]] Result {
 public:
  /// What a success holds.
  using value_type = T;

  /// A success.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  /// A failure.
  Result(Error error) noexcept : state_(std::in_place_index<1>, std::move(error)) {}
  /// A success, made of these in its place.
  template <typename... Parts>
  explicit Result(std::in_place_t, Parts&&... parts) : state_(std::in_place_index<0>, std::forward<Parts>(parts)...) {}

  /// Whether it is a value.
  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  /// Whether it is a value.
  explicit operator bool() const noexcept { return has_value(); }

  /// The value; throws the Error if there is none.
  T& value() & {
    check();
    return *std::get_if<0>(&state_);
  }
  /// The value; throws the Error if there is none.
  const T& value() const& {
    check();
    return *std::get_if<0>(&state_);
  }
  /// The value; throws the Error if there is none.
  T value() && {
    check();
    return std::move(*std::get_if<0>(&state_));
  }
  /// The value, or `other` if there is none.
  T value_or(T other) && { return has_value() ? std::move(**this) : std::move(other); }

  /// The value, which must be there.
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  /// The value, which must be there.
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  /// The value, which must be there.
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  /// Of the value, which must be there.
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  /// Of the value, which must be there.
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// The error, which must be there.
  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  /// The error, which must be there.
  [[nodiscard]] Error error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

#if defined(__cpp_lib_expected)
  /// As the standard library's type.
  [[nodiscard]] std::expected<T, Error> to_expected() && {
    if (has_value()) return std::move(**this);
    return std::unexpected(std::move(*this).error());
  }
#endif

 private:
  void check() const {
    if (!has_value()) detail::raise(error());
  }

  std::variant<T, Error> state_;
};

/// Success, or the Error that came instead.
template <>
class [[nodiscard]] Result<void> {
 public:
  /// What a success holds.
  using value_type = void;

  /// A success.
  Result() noexcept = default;
  /// A failure.
  Result(Error error) noexcept : error_(std::move(error)) {}

  /// Whether it went well.
  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  /// Whether it went well.
  explicit operator bool() const noexcept { return has_value(); }
  /// Throws the Error if there is one.
  void value() const {
    if (error_) detail::raise(*error_);
  }
  /// The error, which must be there.
  [[nodiscard]] const Error& error() const& noexcept { return *error_; }
  /// The error, which must be there.
  [[nodiscard]] Error error() && noexcept { return std::move(*error_); }

#if defined(__cpp_lib_expected)
  /// As the standard library's type.
  [[nodiscard]] std::expected<void, Error> to_expected() && {
    if (has_value()) return {};
    return std::unexpected(std::move(*this).error());
  }
#endif

 private:
  std::optional<Error> error_;
};

namespace detail {

/// What a function of the C interface returned.
inline Result<void> result(rpcx_error* error) {
  if (error) return Error(error);
  return {};
}

/// Text that a function of the C interface writes.
template <typename Write>
Result<std::string> text(Write write) {
  rpcx_string* raw = nullptr;
  if (auto* error = write(&raw)) return Error(error);
  Handle<rpcx_string, rpcx_string_free> owned(raw);
  return std::string(rpcx_string_data(raw), rpcx_string_len(raw));
}

}  // namespace detail
}  // namespace rpcx

#endif
