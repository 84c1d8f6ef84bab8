/* The library as a whole: versions, tables, threads, logging. */
#ifndef RPCX_LIBRARY_HPP
#define RPCX_LIBRARY_HPP

#include "error.hpp"

namespace rpcx {

/// The loaded library's version, such as "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept { return detail::view(rpcx_version()); }

/// The ABI of the loaded library. It works with programs that were compiled for a lower one: RPCX_ABI_VERSION.
[[nodiscard]] inline uint32_t abi_version() noexcept { return rpcx_abi_version(); }

/// Every option with its type, range, default, scope and meaning, as JSON.
[[nodiscard]] inline Result<std::string> options_json() { return detail::text(rpcx_options_json); }

/// Every kind of error with its number, the reasons and the delivery states, as JSON.
[[nodiscard]] inline Result<std::string> errors_json() { return detail::text(rpcx_errors_json); }

/// Says how the library's threads are made from now on: at least `threads` (0: as before), named `<name>-0` and so on (empty:
/// as before). They are made with the first client or server and end with the last.
inline Result<void> configure_runtime(size_t threads, const std::string& name = {}) {
  return detail::result(rpcx_runtime_configure(threads, name.empty() ? nullptr : name.c_str()));
}

/// How much an event of the log matters.
enum class LogLevel : uint32_t {
  error = RPCX_LOG_ERROR,  ///< Something failed that should not.
  warn = RPCX_LOG_WARN,    ///< Something to look at: a refused connection, a slow call.
  info = RPCX_LOG_INFO,    ///< What happens seldom: a server started, a breaker opened.
  debug = RPCX_LOG_DEBUG,  ///< What helps to find a mistake.
  trace = RPCX_LOG_TRACE,  ///< Everything.
};

/// One event of the log; its text is valid until the logger returns.
struct LogRecord {
  LogLevel level;            ///< How much it matters.
  std::string_view target;   ///< The part of the library: `rpcx::client`.
  std::string_view message;  ///< What happened, in one line.
};

/// Sends the library's log, events of `level` and above, to `log`: void(const LogRecord&), on any thread, several at once. It
/// must be quick and not throw. It is the process's: the last one set wins.
template <typename Log>
Result<void> set_logger(LogLevel level, Log log) {
  auto logger = detail::sized<rpcx_logger>();
  logger.log = [](void* user_data, const rpcx_log_record* record) noexcept {
    const auto its_level = static_cast<LogLevel>(record->level);
    (*static_cast<Log*>(user_data))(LogRecord{its_level, detail::view(record->target), detail::view(record->message)});
  };
  logger.drop_user_data = detail::drop<Log>;
  logger.user_data = new Log(std::move(log));
  return detail::result(rpcx_log_set(static_cast<uint32_t>(level), &logger));
}

/// Ends logging: nothing is written anywhere.
inline Result<void> clear_logger() { return detail::result(rpcx_log_set(RPCX_LOG_ERROR, nullptr)); }

}  // namespace rpcx

#endif
