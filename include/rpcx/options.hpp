/* Options by name: of clients, of servers, of calls. docs/CONFIGURATION.md lists them. */
#ifndef RPCX_OPTIONS_HPP
#define RPCX_OPTIONS_HPP

#include <vector>

#include "interceptor.hpp"

namespace rpcx {
namespace detail {

inline std::string option_text(std::string_view value) { return std::string(value); }
inline std::string option_text(const char* value) { return value; }
inline std::string option_text(const std::string& value) { return value; }
inline std::string option_text(bool value) { return value ? "true" : "false"; }
inline std::string option_text(SerializeType value) { return to_string(value); }
template <typename T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
std::string option_text(T value) {
  return std::to_string(value);
}
template <typename Rep, typename Period>
std::string option_text(std::chrono::duration<Rep, Period> value) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(value).count()) + "ms";
}

/// The first mistake that was made; a copy remembers it too.
class Mistake {
 public:
  Mistake() noexcept = default;
  Mistake(const Mistake& other) noexcept : error_(rpcx_error_clone(other.error_.get())) {}
  Mistake(Mistake&&) noexcept = default;
  Mistake& operator=(Mistake other) noexcept {
    error_ = std::move(other.error_);
    return *this;
  }
  ~Mistake() = default;

  void note(rpcx_error* error) noexcept {
    if (!error) return;
    ErrorHandle owned(error);
    if (!error_) error_ = std::move(owned);
  }
  [[nodiscard]] bool made() const noexcept { return error_ != nullptr; }
  [[nodiscard]] rpcx_error* clone() const noexcept { return rpcx_error_clone(error_.get()); }

 private:
  ErrorHandle error_;
};

}  // namespace detail

/// Options of a client or of a server. Setters may be chained; the first mistake is kept, and told by whatever takes these.
///
///     rpcx::ClientOptions options;
///     options.set("timeout", 500ms).set("fail_mode", "failover").set("retries", 2);
template <uint32_t Scope>
class Options {
 public:
  /// All defaults.
  Options() = default;
  Options(Options&&) noexcept = default;
  Options& operator=(Options&&) noexcept = default;

  /// Sets an option by its name: text as in docs/CONFIGURATION.md, a number, a bool or a duration.
  template <typename T>
  Options& set(const std::string& name, const T& value) {
    if (auto* config = raw()) mistake_.note(rpcx_config_set(config, name.c_str(), detail::option_text(value).c_str()));
    return *this;
  }
  /// How many of the library's threads it uses. 0: one for a client, one per core for a server.
  Options& threads(size_t count) {
    if (auto* config = raw()) mistake_.note(rpcx_config_set_threads(config, count));
    return *this;
  }
  /// Adds an interceptor, inside of those added before: void(Interception), many at once. On a client it runs once a call,
  /// before server selection and retries, on the thread that makes the call or one of the library's; on a server around the
  /// handler, after authentication. It must not block. What it throws fails the call.
  template <typename Intercept>
  Options& intercept(Intercept intercept) {
    auto interceptor = detail::sized<rpcx_interceptor>();
    interceptor.intercept = [](void* user_data, rpcx_interception* raw) noexcept {
      Interception call(raw);
#if RPCX_EXCEPTIONS
      try {
        (*static_cast<Intercept*>(user_data))(std::move(call));
      } catch (...) {
        // Unwinding has destroyed the interception, which fails the call.
      }
#else
      (*static_cast<Intercept*>(user_data))(std::move(call));
#endif
    };
    interceptor.drop_user_data = detail::drop<Intercept>;
    auto state = std::make_unique<Intercept>(std::move(intercept));
    if (auto* config = raw()) {
      interceptor.user_data = state.release();
      mistake_.note(rpcx_config_add_interceptor(config, &interceptor));
    }
    return *this;
  }

  /// For functions of the C interface; NULL: all defaults.
  [[nodiscard]] const rpcx_config* get() const noexcept { return config_.get(); }
  /// The first mistake, the caller's to free; NULL: none.
  [[nodiscard]] rpcx_error* mistake() const noexcept { return mistake_.clone(); }

 private:
  rpcx_config* raw() {
    if (!config_) {
      rpcx_config* raw = nullptr;
      mistake_.note(rpcx_config_new(Scope, &raw));
      config_.reset(raw);
    }
    return config_.get();
  }

  detail::Handle<rpcx_config, rpcx_config_free> config_;
  detail::Mistake mistake_;
};

/// Options of a client.
using ClientOptions = Options<RPCX_SCOPE_CLIENT>;
/// Options of a server.
using ServerOptions = Options<RPCX_SCOPE_SERVER>;

/// What a nested call inherits from the call that it is made for: its deadline and its trace keys. Cheap to copy; may be kept
/// longer than the request it came from.
class Context {
 public:
  /// Takes over a context of the C interface.
  explicit Context(rpcx_context* raw) : raw_(raw, rpcx_context_free) {}

  /// A context by its parts: a deadline so long from now, and metadata. A timeout of zero: no deadline.
  template <typename Rep, typename Period>
  [[nodiscard]] static Result<Context> make(std::chrono::duration<Rep, Period> timeout, MetadataView metadata = {}) {
    rpcx_context* raw = nullptr;
    if (auto* error = rpcx_context_new(detail::millis(timeout, RPCX_NO_TIMEOUT), metadata.get(), &raw)) return Error(error);
    return Context(raw);
  }

  /// For functions of the C interface.
  [[nodiscard]] const rpcx_context* get() const noexcept { return raw_.get(); }

 private:
  std::shared_ptr<rpcx_context> raw_;
};

/// Options of a call; all left out is the client's own. Setters may be chained; the first mistake is kept, and the call fails
/// with it. Made once they serve any number of calls, on any threads.
///
///     rpcx::CallOptions options;
///     options.timeout(200ms).metadata("traceparent", trace).idempotent();
class CallOptions {
 public:
  /// Everything as the client has it.
  CallOptions() = default;
  CallOptions(CallOptions&&) noexcept = default;
  CallOptions& operator=(CallOptions&&) noexcept = default;

  /// Everything as the client has it, made once.
  [[nodiscard]] static const CallOptions& defaults() {
    static const CallOptions all;
    return all;
  }

  /// Time for the whole call, retries included; zero: no deadline.
  template <typename Rep, typename Period>
  CallOptions& timeout(std::chrono::duration<Rep, Period> time) {
    timeout_ms_ = detail::millis(time, RPCX_NO_TIMEOUT);
    return *this;
  }
  /// Running the handler twice does no harm: the call is sent again though it may have run.
  CallOptions& idempotent(bool yes = true) { return flag(RPCX_CALL_IDEMPOTENT, yes); }
  /// Adds a pair to what is sent beside the payload.
  CallOptions& metadata(std::string_view key, std::string_view value) {
    auto set = metadata_.set(key, value);
    if (!set) mistake_.note(std::move(set).error().release());
    return *this;
  }
  /// Replaces all that is sent beside the payload.
  CallOptions& metadata(Metadata metadata) {
    metadata_ = std::move(metadata);
    return *this;
  }
  /// The call that this one is made for. Inside a handler it need not be said.
  CallOptions& parent(Context context) {
    parent_ = std::move(context);
    return *this;
  }
  /// What consistent hashing goes by; empty: service, method and payload.
  CallOptions& hash_key(BytesView key) {
    hash_key_ = key.view();
    return *this;
  }
  /// The only server to use, spelled as the discovery does; empty: one is selected.
  CallOptions& target(std::string_view server) {
    target_ = server;
    return *this;
  }
  /// How the payload is encoded. A typed method says that itself.
  CallOptions& serialize_type(SerializeType type) { return set("serialize_type", type); }
  /// Sets any other option of a call by its name: text as in docs/CONFIGURATION.md, a number, a bool or a duration.
  template <typename T>
  CallOptions& set(const std::string& name, const T& value) {
    if (!config_) {
      rpcx_config* raw = nullptr;
      mistake_.note(rpcx_config_new(RPCX_SCOPE_CALL, &raw));
      config_.reset(raw);
    }
    if (config_) mistake_.note(rpcx_config_set(config_.get(), name.c_str(), detail::option_text(value).c_str()));
    named_.emplace_back(name, detail::option_text(value));
    return *this;
  }

  /// As the C interface has them; valid until they are changed.
  [[nodiscard]] rpcx_call_options raw(uint32_t kind = RPCX_KIND_CALL) const noexcept {
    auto raw = detail::sized<rpcx_call_options>();
    raw.kind = kind;
    raw.timeout_ms = timeout_ms_;
    raw.flags = flags_;
    raw.metadata = metadata_.view().get();
    raw.parent = parent_ ? parent_->get() : nullptr;
    raw.hash_key = detail::slice(hash_key_);
    raw.target = detail::slice(target_);
    raw.config = config_.get();
    return raw;
  }
  /// The first mistake, the caller's to free; NULL: none.
  [[nodiscard]] rpcx_error* mistake() const noexcept { return mistake_.made() ? mistake_.clone() : nullptr; }
  /// What was set by name.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& named() const noexcept { return named_; }

 private:
  CallOptions& flag(uint32_t flag, bool yes) {
    flags_ = yes ? flags_ | flag : flags_ & ~flag;
    return *this;
  }

  uint32_t timeout_ms_ = 0;
  uint32_t flags_ = 0;
  Metadata metadata_;
  std::optional<Context> parent_;
  std::string hash_key_;
  std::string target_;
  std::vector<std::pair<std::string, std::string>> named_;
  detail::Handle<rpcx_config, rpcx_config_free> config_;
  detail::Mistake mistake_;
};

}  // namespace rpcx

#endif
