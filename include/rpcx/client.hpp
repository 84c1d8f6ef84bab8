/* Clients, the methods they call, batches, and what servers push. */
#ifndef RPCX_CLIENT_HPP
#define RPCX_CLIENT_HPP

#include "operation.hpp"

namespace rpcx {

/// Who is called.
enum class CallKind : uint32_t {
  call = RPCX_KIND_CALL,            ///< One server, retried as the option `fail_mode` says.
  broadcast = RPCX_KIND_BROADCAST,  ///< Every server: all must succeed, the first reply is returned.
  fork = RPCX_KIND_FORK,            ///< Every server: the first success wins and cancels the others.
  inform = RPCX_KIND_INFORM,        ///< Every server: the reply has a part for each.
  oneway = RPCX_KIND_ONEWAY,        ///< A request that no server answers: it ends when a connection has taken it.
};

namespace detail {

/// Starts a call. Its options and payload are borrowed.
struct CallStarter {
  const rpcx_method* method;
  rpcx_slice payload;
  rpcx_call_options options;
  Buffer* buffer;  // NULL: the payload is copied
  Mistake mistake;

  template <typename Send>
  rpcx_error* send(Send send) {
    if (!buffer) return send();
    rpcx_buffer kept = buffer->take();
    options.buffer = &kept;
    return send();
  }
  rpcx_error* start(const rpcx_completion* completion, rpcx_call** call) {
    if (mistake.made()) return refuse(mistake.clone(), completion);
    return send([&] { return rpcx_method_call(method, payload, &options, completion, call); });
  }
  rpcx_error* wait(rpcx_reply** reply) {
    if (mistake.made()) return mistake.clone();
    return send([&] { return rpcx_method_call_wait(method, payload, &options, reply); });
  }
  ReadReply reader() const noexcept { return {}; }
};

}  // namespace detail

/// A call that has not begun.
using CallOperation = Operation<Reply, detail::CallStarter>;

/// A method to call, looked up once: keep it. Cheap to copy; may be used on any threads. It outlives its client: then calls
/// fail with ErrorKind::closed.
class Method {
 public:
  /// Takes over a method of the C interface.
  explicit Method(rpcx_method* raw) : raw_(raw, rpcx_method_free) {}

  /// Calls it; `payload` is encoded as the option `serialize_type` says, and is copied when the call starts.
  [[nodiscard]] CallOperation call(BytesView payload, const CallOptions& options = CallOptions::defaults(), CallKind kind = CallKind::call) const {
    return CallOperation({get(), detail::slice(payload.view()), options.raw(static_cast<uint32_t>(kind)), nullptr,
                          mistake(options)});
  }
  /// Calls it with a payload that is handed over when the call starts.
  [[nodiscard]] CallOperation call(Buffer&& payload, const CallOptions& options = CallOptions::defaults(), CallKind kind = CallKind::call) const {
    return CallOperation({get(), rpcx_slice{}, options.raw(static_cast<uint32_t>(kind)), &payload, mistake(options)});
  }
  /// Calls every server: all must succeed, the first reply is returned.
  [[nodiscard]] CallOperation broadcast(BytesView payload, const CallOptions& options = CallOptions::defaults()) const {
    return call(payload, options, CallKind::broadcast);
  }
  /// Calls every server: the first success wins and cancels the others.
  [[nodiscard]] CallOperation fork(BytesView payload, const CallOptions& options = CallOptions::defaults()) const {
    return call(payload, options, CallKind::fork);
  }
  /// Calls every server: the reply has a part for each, sorted by address.
  [[nodiscard]] CallOperation inform(BytesView payload, const CallOptions& options = CallOptions::defaults()) const {
    return call(payload, options, CallKind::inform);
  }
  /// Sends a request that no server answers; the reply is empty, and comes when a connection has taken the request.
  [[nodiscard]] CallOperation oneway(BytesView payload, const CallOptions& options = CallOptions::defaults()) const {
    return call(payload, options, CallKind::oneway);
  }
  /// Sends a request that no server answers, without waiting for anything: what fails later is only logged.
  Result<void> oneshot(BytesView payload, const CallOptions& options = CallOptions::defaults()) const {
    if (auto* error = options.mistake()) return Error(error);
    const auto raw = options.raw();
    return detail::result(rpcx_method_oneshot(get(), detail::slice(payload.view()), &raw));
  }

  /// For functions of the C interface.
  [[nodiscard]] const rpcx_method* get() const noexcept { return raw_.get(); }

 private:
  static detail::Mistake mistake(const CallOptions& options) noexcept {
    detail::Mistake mistake;
    if (auto* error = options.mistake()) mistake.note(error);
    return mistake;
  }

  std::shared_ptr<rpcx_method> raw_;
};

/// Messages that servers push to a client, fetched one by one.
class Pushes {
 public:
  /// Takes over a queue of the C interface that pushes go to.
  explicit Pushes(rpcx_queue* raw) noexcept : raw_(raw) {}

  /// Waits for the next message, at most so long; none: the time has passed. ErrorKind::closed: the client was closed. Any
  /// number of threads may wait; each message comes to one of them.
  template <typename Rep, typename Period>
  [[nodiscard]] Result<std::optional<Push>> next(std::chrono::duration<Rep, Period> timeout) {
    auto event = detail::sized<rpcx_event>();
    size_t count = 0;
    const uint32_t ms = detail::millis(timeout, 0);
    if (auto* error = rpcx_queue_wait(raw_.get(), &event, sizeof event, 1, ms, &count)) return Error(error);
    if (count == 0) return std::optional<Push>();
    if (event.push) return std::optional<Push>(Push(event.push));
    // The last one: all others that wait learn it too.
    rpcx_queue_close(raw_.get());
    return Error("closed.local", "the client was closed");
  }

 private:
  detail::Handle<rpcx_queue, rpcx_queue_free> raw_;
};

class Service;

/// A client: connections to the servers of any number of services, found by one discovery. Cheap to copy; the last copy closes
/// it. Everything may be used on any threads.
class Client {
 public:
  /// Makes a client; nothing is connected before the first call. `discovery` is an address ("tcp@127.0.0.1:8972") or the URL of
  /// a discovery. ErrorKind::config names what is wrong with either argument.
  [[nodiscard]] static Result<Client> open(const std::string& discovery, const ClientOptions& options = {}) {
    return open_raw(discovery.c_str(), options);
  }
  /// Makes a client of a list of servers, "tcp@host:port?weight=7&group=a", which set_nodes() can replace.
  [[nodiscard]] static Result<Client> open(const std::vector<std::string>& nodes, const ClientOptions& options = {}) {
    auto client = open_raw(nullptr, options);
    if (client) {
      auto set = client->set_nodes(nodes);
      if (!set) return std::move(set).error();
    }
    return client;
  }

  /// A service of its servers.
  [[nodiscard]] Service service(std::string path) const;
  /// A method to call.
  [[nodiscard]] Result<Method> method(const std::string& service, const std::string& method) const {
    rpcx_method* raw = nullptr;
    if (auto* error = rpcx_client_method(get(), service.c_str(), method.c_str(), &raw)) return Error(error);
    return Method(raw);
  }
  /// Replaces the servers of a client that was made from a list. Calls that are under way go on.
  Result<void> set_nodes(const std::vector<std::string>& nodes) const {
    std::vector<const char*> raw;
    raw.reserve(nodes.size());
    for (const auto& node : nodes) raw.push_back(node.c_str());
    return detail::result(rpcx_client_set_nodes(get(), raw.data(), raw.size()));
  }
  /// What it has counted, as JSON.
  [[nodiscard]] Result<std::string> stats_json() const {
    return detail::text([this](rpcx_string** out) { return rpcx_client_stats_json(get(), out); });
  }
  /// The same in Prometheus' text format; `name` tells several clients of a process apart.
  [[nodiscard]] Result<std::string> metrics_text(const std::string& name) const {
    return detail::text([&](rpcx_string** out) { return rpcx_client_metrics_text(get(), name.c_str(), out); });
  }

  /// Hands what servers push to `push`, void(std::optional<Push>), one after the other, on a thread of the library; nothing
  /// once, at the end, when the client was closed. Each message goes to one subscriber.
  template <typename OnPush>
  Result<void> subscribe(OnPush on_push) const {
    auto subscriber = detail::sized<rpcx_subscriber>();
    subscriber.push = [](void* user_data, rpcx_push* raw) noexcept {
      auto& run = *static_cast<OnPush*>(user_data);
      if (raw) {
        run(std::optional<Push>(Push(raw)));
      } else {
        run(std::optional<Push>());
      }
    };
    subscriber.drop_user_data = detail::drop<OnPush>;
    subscriber.user_data = new OnPush(std::move(on_push));
    return detail::result(rpcx_client_subscribe(get(), &subscriber));
  }
  /// What servers push, to be fetched. Each message goes to one subscriber.
  [[nodiscard]] Result<Pushes> pushes() const {
    rpcx_queue* raw = nullptr;
    if (auto* error = rpcx_queue_new(0, &raw)) return Error(error);
    Pushes pushes(raw);
    if (auto* error = rpcx_client_subscribe_queue(get(), raw, 0)) return Error(error);
    return pushes;
  }

  /// Ends it at once: calls under way fail with ErrorKind::closed, and so do later ones. May be called again.
  void close() const noexcept { rpcx_client_close(get()); }
  /// Takes no new calls, waits for those under way, at most `deadline`, then closes. ErrorKind::timeout when some were cut off.
  template <typename Rep, typename Period>
  [[nodiscard]] auto shutdown(std::chrono::duration<Rep, Period> deadline) const {
    const uint32_t ms = detail::millis(deadline, 0);
    return detail::plain(
        [raw = raw_, ms](const rpcx_completion* done) { return rpcx_client_shutdown(raw.get(), ms, done); },
        [raw = raw_, ms] { return rpcx_client_shutdown_wait(raw.get(), ms); });
  }

  /// For functions of the C interface.
  [[nodiscard]] const rpcx_client* get() const noexcept { return raw_.get(); }

 private:
  explicit Client(rpcx_client* raw) : raw_(raw, rpcx_client_free) {}

  static Result<Client> open_raw(const char* discovery, const ClientOptions& options) {
    if (auto* error = options.mistake()) return Error(error);
    rpcx_client* raw = nullptr;
    if (auto* error = rpcx_client_open(discovery, options.get(), &raw)) return Error(error);
    return Client(raw);
  }

  std::shared_ptr<rpcx_client> raw_;
};

template <typename Args, typename Value>
class TypedMethod;

/// A service of a client's servers. Cheap to copy.
class Service {
 public:
  /// That of a client, by its service path.
  Service(Client client, std::string path) : client_(std::move(client)), path_(std::move(path)) {}

  /// The service path.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// A method to call: make it once, use it for every call.
  [[nodiscard]] Result<Method> method(const std::string& name) const { return client_.method(path_, name); }
  /// A method whose arguments and replies are values of these types: rpcx/typed.hpp.
  template <typename Args, typename Value>
  [[nodiscard]] Result<TypedMethod<Args, Value>> method(const std::string& name) const {
    auto raw = method(name);
    if (!raw) return std::move(raw).error();
    return TypedMethod<Args, Value>::make(std::move(*raw));
  }

 private:
  Client client_;
  std::string path_;
};

inline Service Client::service(std::string path) const { return Service(*this, std::move(path)); }

/// Calls, of any methods and kinds, that are handed over at once and end together. Used by one thread at a time.
class Batch {
 public:
  /// Adds a call; payload and options are copied. Nothing is sent yet.
  Result<void> add(const Method& method, BytesView payload, const CallOptions& options = CallOptions::defaults(),
                   CallKind kind = CallKind::call) {
    if (auto* error = options.mistake()) return Error(error);
    if (!raw_) {
      rpcx_batch* raw = nullptr;
      if (auto* error = rpcx_batch_new(&raw)) return Error(error);
      raw_.reset(raw);
    }
    const auto raw = options.raw(static_cast<uint32_t>(kind));
    return detail::result(rpcx_batch_add(raw_.get(), method.get(), detail::slice(payload.view()), &raw));
  }

  /// Starts the calls and empties the batch, which may be filled again. The reply has a part for each, in the order they were
  /// added.
  [[nodiscard]] auto call() {
    struct Starter {
      rpcx_batch* batch;
      rpcx_error* start(const rpcx_completion* completion, rpcx_call** call) {
        if (!batch) return detail::refuse(empty(), completion);
        return rpcx_batch_call(batch, completion, call);
      }
      rpcx_error* wait(rpcx_reply** reply) { return batch ? rpcx_batch_call_wait(batch, reply) : empty(); }
      detail::ReadReply reader() const noexcept { return {}; }
      static rpcx_error* empty() { return Error("config.bad_argument", "the batch has no calls").release(); }
    };
    return Operation<Reply, Starter>(Starter{raw_.get()});
  }

 private:
  detail::Handle<rpcx_batch, rpcx_batch_free> raw_;
};

}  // namespace rpcx

#endif
