/* How often each method ran and how it ended, counted inside the handlers: what `Test.Count` tells. */
#pragma once

#include <mutex>

#include "../common/messages.hpp"

/// The counters of a server.
class Tally {
 public:
  /// What became of the calls of one `Service.Method`.
  messages::CountReply of(const std::string& method) const {
    const std::lock_guard<std::mutex> held(lock_);
    const auto found = methods_.find(method);
    return found == methods_.end() ? messages::CountReply() : found->second;
  }

  /// The server's last line.
  form::Json stopped() const {
    const std::lock_guard<std::mutex> held(lock_);
    int64_t calls = 0, cancelled = 0;
    for (const auto& [_, counts] : methods_) calls += counts.started, cancelled += counts.cancelled;
    return {{"stopped", true}, {"calls", calls}, {"errors", errors_}, {"cancelled", cancelled}, {"panics", panics_}};
  }

  /// Notes that a handler has started; the name of its method.
  std::string begin(const rpcx::Request& request) {
    std::string method = std::string(request.service()) + "." + std::string(request.method());
    const std::lock_guard<std::mutex> held(lock_);
    methods_[method].started++;
    return method;
  }
  /// Notes that one has come to its end.
  void end(const std::string& method, bool good, bool panic = false) {
    const std::lock_guard<std::mutex> held(lock_);
    methods_[method].finished++;
    errors_ += !good;
    panics_ += panic;
  }
  /// Notes that one was stopped early.
  void cancelled(const std::string& method) {
    const std::lock_guard<std::mutex> held(lock_);
    methods_[method].cancelled++;
  }

 private:
  mutable std::mutex lock_;
  std::map<std::string, messages::CountReply> methods_;
  int64_t errors_ = 0;
  int64_t panics_ = 0;
};

/// A handler `Result<Value> (Args&, Request&)` that is counted.
template <typename Value, typename Args, typename Handler>
auto counted(Tally& tally, Handler handler) {
  return [&tally, handler = std::move(handler)](Args& args, rpcx::Request& request) -> rpcx::Result<Value> {
    const auto method = tally.begin(request);
    try {
      rpcx::Result<Value> result = handler(args, request);
      tally.end(method, result.has_value());
      return result;
    } catch (...) {
      tally.end(method, false, true);
      throw;
    }
  };
}
