/* The driver: its clients, the commands that run, and its answers. */
#pragma once

#include <condition_variable>
#include <mutex>

#include "call.hpp"

/// Where answers go, and what still runs. All of it may be used on any thread.
class Driver {
 public:
  /// Notes that a command runs; what cancels it.
  rpcx::Canceller begin(const Json& id) {
    const std::lock_guard<std::mutex> held(lock_);
    running_++;
    return cancels_[id.dump()] = rpcx::Canceller();
  }

  /// Answers a command that runs.
  void end(const Json& id, Json answer) {
    {
      // Before its answer is seen: whoever has seen it cannot cancel it any more.
      const std::lock_guard<std::mutex> held(lock_);
      cancels_.erase(id.dump());
    }
    print(id, std::move(answer));
    // After it, so that a command that waits for it answers later.
    const std::lock_guard<std::mutex> held(lock_);
    if (--running_ == 0) ended_.notify_all();
  }

  /// Waits until no command runs.
  void finish() {
    std::unique_lock<std::mutex> held(lock_);
    ended_.wait(held, [this] { return running_ == 0; });
  }

  /// Cancels a command that runs.
  void cancel(const Json& id) {
    std::unique_lock<std::mutex> held(lock_);
    const auto found = cancels_.find(id.dump());
    if (found == cancels_.end()) throw Misuse("call: " + id.dump() + " does not run");
    const auto canceller = found->second;
    held.unlock();
    canceller.cancel();
  }

  /// Writes an answer.
  void print(const Json& id, Json answer) {
    answer["id"] = id;
    const auto line = answer.dump(-1, ' ', false, Json::error_handler_t::replace);
    const std::lock_guard<std::mutex> held(output_);
    std::puts(line.c_str());
    std::fflush(stdout);
  }

  /// The clients by name; of the thread that reads commands.
  std::map<std::string, Named> clients;

 private:
  std::mutex lock_, output_;
  std::condition_variable ended_;
  size_t running_ = 0;
  std::map<std::string, rpcx::Canceller> cancels_;
};

/// Obeys a command; what takes time goes on beside the next one. Throws Misuse and rpcx::Error for a bad one.
void obey(Driver& driver, const Json& id, Fields fields);

/// Begins the command `burst`.
void burst(Driver& driver, const Json& id, const Named& client, Fields& fields);
