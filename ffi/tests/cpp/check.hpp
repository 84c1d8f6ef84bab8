/* What the C++ tests share: checks that say where they failed, a server with a few methods, and a count to wait for. */
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <rpcx.hpp>
#include <thread>

#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                 \
    }                                                                               \
  } while (0)

/// Fails with this kind.
#define FAILS(result, expected)                                                                    \
  do {                                                                                             \
    const auto& failed_ = (result);                                                                 \
    CHECK(!failed_);                                                                                \
    if (failed_.error().kind() == rpcx::ErrorKind::expected) break;                                 \
    std::fprintf(stderr, "%s:%d: expected %s, got %s\n", __FILE__, __LINE__, #expected, failed_.error().what()); \
    std::abort();                                                                                  \
  } while (0)

using namespace std::chrono_literals;

/// A number that some threads raise and others wait for.
class Count {
 public:
  void raise() {
    {
      const std::lock_guard<std::mutex> held(lock_);
      value_++;
    }
    changed_.notify_all();
  }
  void wait(int value) {
    std::unique_lock<std::mutex> held(lock_);
    CHECK(changed_.wait_for(held, 30s, [&] { return value_ >= value; }));
  }
  int value() {
    const std::lock_guard<std::mutex> held(lock_);
    return value_;
  }

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  int value_ = 0;
};

/// Counts how often it is destroyed as what it was made as: copies and moves take the count along.
class Witness {
 public:
  explicit Witness(Count& destroyed) : destroyed_(&destroyed) {}
  Witness(Witness&& other) noexcept : destroyed_(std::exchange(other.destroyed_, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (destroyed_) destroyed_->raise();
  }

 private:
  Count* destroyed_;
};

/// `Test` with `Echo`, `Fail`, `Throw`, and `Hold`, whose requests are kept until they are taken from `held`.
class TestServer {
 public:
  TestServer() {
    server.listen("tcp@127.0.0.1:0")
        .handle("Test", "Echo", [](rpcx::Request request) { request.answer(request.payload()); })
        .handle("Test", "Fail", [](rpcx::Request request) { request.fail(request.payload()); })
        .handle("Test", "Throw", [](rpcx::Request) { throw 7; })
        .handle("Test", "Hold", [this](rpcx::Request request) {
          const std::lock_guard<std::mutex> locked(lock);
          held.push_back(std::move(request));
          holding.raise();
        });
  }
  rpcx::Client start() {
    server.start().wait().value();
    return rpcx::Client::open(server.addresses().at(0)).value();
  }
  ~TestServer() { server.close(); }

  std::mutex lock;
  std::vector<rpcx::Request> held;
  Count holding;
  rpcx::Server server;
};

inline rpcx::Method method(const rpcx::Client& client, const char* name) { return client.method("Test", name).value(); }
