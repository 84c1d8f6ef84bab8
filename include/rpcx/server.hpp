/* Servers. */
#ifndef RPCX_SERVER_HPP
#define RPCX_SERVER_HPP

#include "workers.hpp"

namespace rpcx {

/// How a method's handler is run.
enum class MethodFlags : uint32_t {
  none = 0,                                  ///< Nothing special.
  to_completion = RPCX_METHOD_TO_COMPLETION  ///< It goes on though its caller cancels, or its connection ends.
};

/// A server: first its parts are added, then it is started, once. Cheap to copy; the last copy closes it. What adds parts may
/// be chained: the first mistake is kept, and start() fails with it.
///
///     rpcx::Server server;
///     server.listen("tcp@127.0.0.1:8972")
///         .method<Args, Product>("Arith", "Mul", [](const Args& args) { return Product{args.a * args.b}; });
///     server.start().wait().value();
///
/// A handler runs on a thread of the library on which connections wait meanwhile: what takes longer than some microseconds
/// keeps the request and answers later, or runs on Workers. What a handler throws is answered as a panic is; an Error that
/// a typed handler throws instead of returning a value is its answer.
class Server {
 public:
  /// One without addresses and methods.
  explicit Server(const ServerOptions& options = {}) : state_(std::make_shared<State>()) {
    rpcx_server* raw = nullptr;
    if (auto* error = options.mistake()) {
      note(error);
    } else {
      note(rpcx_server_new(options.get(), &raw));
    }
    state_->raw.reset(raw);
  }

  /// Adds an address to listen on: "tcp@127.0.0.1:8972", port 0 for one that the system chooses, "unix@/run/arith.sock".
  Server& listen(const std::string& address) {
    if (get()) note(rpcx_server_listen(get(), address.c_str()));
    return *this;
  }
  /// Adds a registry by its URL, where the server announces its services.
  Server& registry(const std::string& url) {
    if (get()) note(rpcx_server_add_registry(get(), url.c_str()));
    return *this;
  }
  /// Adds a method in bytes: `handler`, void(Request), answers the request in there, or keeps it and answers later. One of the
  /// same name is replaced.
  template <typename Handler>
  Server& handle(const std::string& service, const std::string& method, Handler handler,
                 MethodFlags flags = MethodFlags::none) {
    if (!get()) return *this;
    const auto raw = boxed(std::move(handler));
    note(rpcx_server_add_method(get(), service.c_str(), method.c_str(), &raw, static_cast<uint32_t>(flags)));
    return *this;
  }
  /// As handle(), with a handler that may block: it runs on `workers`, which must live as long as it is to be called.
  template <typename Handler>
  Server& handle_on(const Workers& workers, const std::string& service, const std::string& method, Handler handler,
                    MethodFlags flags = MethodFlags::none) {
    return handle(service, method, workers.wrap(std::move(handler)), flags);
  }
  /// Adds a method whose arguments are `Args` and whose answer is a `Value`, by their Codec. `handler` is one of
  ///
  /// * `Value (Args&)` or `Result<Value> (Args&)`, also with a second argument `Request&`: it answers with what it returns;
  /// * `void (Args, Responder<Value>)`: it answers when it likes.
  ///
  /// Arguments that cannot be decoded are answered with ErrorKind::codec.
  template <typename Args, typename Value, typename Handler>
  Server& method(const std::string& service, const std::string& name, Handler handler,
                 MethodFlags flags = MethodFlags::none) {
    return handle(service, name, typed<Args, Value>(std::move(handler)), flags);
  }
  /// As method(), with a handler that may block.
  template <typename Args, typename Value, typename Handler>
  Server& method_on(const Workers& workers, const std::string& service, const std::string& name, Handler handler,
                    MethodFlags flags = MethodFlags::none) {
    return handle_on(workers, service, name, typed<Args, Value>(std::move(handler)), flags);
  }
  /// Sets what takes the requests that no method takes: void(Request).
  template <typename Handler>
  Server& fallback(Handler handler) {
    if (!get()) return *this;
    const auto raw = boxed(std::move(handler));
    note(rpcx_server_set_fallback(get(), &raw));
    return *this;
  }
  /// Adds another name for a method.
  Server& alias(const std::string& service, const std::string& method, const std::string& real_service,
                const std::string& real_method) {
    if (get()) {
      note(rpcx_server_add_alias(get(), service.c_str(), method.c_str(), real_service.c_str(), real_method.c_str()));
    }
    return *this;
  }
  /// Sets what judges the token of every request before its handler runs: void(Auth), on a thread of the library. It must not
  /// block; it may keep the token and judge it within the option `auth_timeout`.
  template <typename Check>
  Server& authenticator(Check check) {
    if (!get()) return *this;
    auto raw = detail::sized<rpcx_authenticator>();
    raw.check = [](void* user_data, rpcx_auth* auth) noexcept {
#if RPCX_EXCEPTIONS
      try {
        (*static_cast<Check*>(user_data))(Auth(auth));
      } catch (...) {
        // Unwinding has destroyed the token, which refuses it.
      }
#else
      (*static_cast<Check*>(user_data))(Auth(auth));
#endif
    };
    raw.drop_user_data = detail::drop<Check>;
    raw.user_data = new Check(std::move(check));
    note(rpcx_server_set_authenticator(get(), &raw));
    return *this;
  }

  /// Binds and serves: it ends when every listener is open and the registries have been told, or with what went wrong,
  /// mistakes of what was added included.
  [[nodiscard]] auto start() const {
    auto state = state_;
    return detail::plain(
        [state](const rpcx_completion* done) {
          if (state->mistake.made()) return detail::refuse(state->mistake.clone(), done);
          return rpcx_server_start(state->raw.get(), done);
        },
        [state] { return state->mistake.made() ? state->mistake.clone() : rpcx_server_start_wait(state->raw.get()); });
  }
  /// Sets what is announced for a service (empty: for all) beside the address: "group=a&weight=7". Before the start or later.
  Result<void> set_metadata(const std::string& service, const std::string& metadata) const {
    return detail::result(rpcx_server_set_metadata(get(), service.empty() ? nullptr : service.c_str(), metadata.c_str()));
  }

  /// The addresses it listens on, with the real ports, in the order they were added; none before it runs.
  [[nodiscard]] std::vector<std::string> addresses() const {
    std::vector<std::string> all;
    while (const char* address = rpcx_server_address(get(), all.size())) all.emplace_back(address);
    return all;
  }
  /// What it has counted, as JSON.
  [[nodiscard]] Result<std::string> stats_json() const {
    return detail::text([this](rpcx_string** out) { return rpcx_server_stats_json(get(), out); });
  }
  /// The same in Prometheus' text format; `name` tells several servers of a process apart.
  [[nodiscard]] Result<std::string> metrics_text(const std::string& name) const {
    return detail::text([&](rpcx_string** out) { return rpcx_server_metrics_text(get(), name.c_str(), out); });
  }
  /// The connections of its clients.
  [[nodiscard]] Result<std::vector<Connection>> connections() const {
    std::vector<rpcx_connection*> raw(64);
    size_t count = 0;
    for (;;) {
      if (auto* error = rpcx_server_connections(get(), raw.data(), raw.size(), &count)) return Error(error);
      if (count <= raw.size()) break;
      for (auto* connection : raw) rpcx_connection_free(connection);
      raw.assign(count + count / 2, nullptr);
    }
    std::vector<Connection> all;
    all.reserve(count);
    for (size_t i = 0; i < count; i++) all.emplace_back(raw[i]);
    return all;
  }

  /// Ends it at once: connections are closed, requests under way cancelled. May be called again.
  void close() const noexcept { rpcx_server_close(get()); }
  /// Ends it without losing an accepted request: leaves the registries unless `keep_registered`, closes the listeners, waits for
  /// the requests under way, at most `deadline`. ErrorKind::timeout when calls were cut off.
  template <typename Rep, typename Period>
  [[nodiscard]] auto shutdown(std::chrono::duration<Rep, Period> deadline, bool keep_registered = false) const {
    auto state = state_;
    const uint32_t ms = detail::millis(deadline, 0);
    return detail::plain(
        [=](const rpcx_completion* done) { return rpcx_server_shutdown(state->raw.get(), ms, keep_registered, done); },
        [=] { return rpcx_server_shutdown_wait(state->raw.get(), ms, keep_registered); });
  }
  /// Ends when the server has ended, however that came: what a program whose work is to serve waits for last.
  [[nodiscard]] auto closed() const {
    auto state = state_;
    return detail::plain([state](const rpcx_completion* done) { return rpcx_server_on_close(state->raw.get(), done); },
                         [state] { return rpcx_server_closed_wait(state->raw.get()); });
  }

  /// For functions of the C interface; NULL when it could not be made.
  [[nodiscard]] const rpcx_server* get() const noexcept { return state_->raw.get(); }

 private:
  struct State {
    detail::Handle<rpcx_server, rpcx_server_free> raw;
    detail::Mistake mistake;
  };

  void note(rpcx_error* error) noexcept {
    if (error) state_->mistake.note(error);
  }

  template <typename Handler>
  static rpcx_handler boxed(Handler handler) {
    auto raw = detail::sized<rpcx_handler>();
    raw.handle = [](void* user_data, rpcx_request* request) noexcept {
      detail::run_handler(*static_cast<Handler*>(user_data), Request(request));
    };
    raw.drop_user_data = detail::drop<Handler>;
    raw.user_data = new Handler(std::move(handler));
    return raw;
  }

  template <typename Args, typename Value, typename Handler>
  static auto typed(Handler handler) {
    return [handler = std::move(handler)](Request request) mutable {
      Args args{};
      auto decoded = Codec<Args>::decode(request.serialize_type(), request.payload(), args);
      if (!decoded) {
        request.fail(Error("codec.server", decoded.error().message()));
      } else if constexpr (std::is_invocable_v<Handler&, Args, Responder<Value>>) {
        handler(std::move(args), Responder<Value>(std::move(request)));
      } else if constexpr (std::is_invocable_v<Handler&, Args&, Request&>) {
        answer<Value>(request, [&] { return handler(args, request); });
      } else {
        answer<Value>(request, [&] { return handler(args); });
      }
    };
  }

  template <typename Value, typename Run>
  static void answer(Request& request, Run run) {
#if RPCX_EXCEPTIONS
    try {
      answer_with<Value>(request, run());
    } catch (const Error& error) {
      request.fail(error);
    } catch (const std::exception& error) {
      const auto of = std::string(request.service()) + "." + std::string(request.method());
      request.fail(Error("service.panic", "internal error in " + of + ": " + error.what()));
    }
#else
    answer_with<Value>(request, run());
#endif
  }

  template <typename Value>
  static void answer_with(Request& request, const Result<Value>& result) {
    if (result) {
      request.answer_value(*result);
    } else {
      request.fail(result.error());
    }
  }

  std::shared_ptr<State> state_;
};

}  // namespace rpcx

#endif
