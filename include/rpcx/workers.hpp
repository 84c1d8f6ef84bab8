/* Threads for handlers that block. */
#ifndef RPCX_WORKERS_HPP
#define RPCX_WORKERS_HPP

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <system_error>
#include <thread>

#include "request.hpp"

namespace rpcx {
namespace detail {

/// A handler, whatever its type.
struct AnyHandler {
  virtual ~AnyHandler() = default;
  virtual void run(Request request) = 0;
};

/// Runs a handler. When it throws, unwinding has destroyed the request, which answers it as a panic, unless it was handed on.
template <typename Handler>
void run_handler(Handler& handler, Request request) noexcept {
#if RPCX_EXCEPTIONS
  try {
    handler(std::move(request));
  } catch (...) {
  }
#else
  handler(std::move(request));
#endif
}

}  // namespace detail

/// Threads that run handlers which block, and the requests that wait for one. Server::handle_on() gives it handlers, of any
/// number of servers. Cheap to copy. The threads end with the last copy, when they have run what they are at: requests that
/// wait then, or come later, are answered as if their handler had panicked. Not to be destroyed by one of its threads.
class Workers {
 public:
  /// So many threads. When all are busy up to `max_waiting` requests wait; further ones are refused with
  /// ErrorKind::overload. ErrorKind::internal when the system refuses a thread.
  [[nodiscard]] static Result<Workers> start(size_t threads = 32, size_t max_waiting = 4096) {
    auto state = std::make_shared<State>(std::max<size_t>(1, threads), max_waiting);
#if RPCX_EXCEPTIONS
    try {
      state->start();
    } catch (const std::system_error& error) {
      return Error("internal.system", std::string("cannot make a thread for a handler: ") + error.what());
    }
#else
    state->start();
#endif
    return Workers(std::move(state));
  }

  /// A handler that has `handler`, void(Request), run on these threads.
  template <typename Handler>
  [[nodiscard]] auto wrap(Handler handler) const {
    struct Boxed final : detail::AnyHandler {
      explicit Boxed(Handler given) : kept(std::move(given)) {}
      void run(Request request) override { detail::run_handler(kept, std::move(request)); }
      Handler kept;
    };
    return [state = std::weak_ptr<State>(state_), boxed = std::make_shared<Boxed>(std::move(handler))](Request request) {
      if (const auto workers = state.lock()) workers->put(boxed, std::move(request));
    };
  }

 private:
  struct Job {
    std::shared_ptr<detail::AnyHandler> handler;
    Request request;
  };

  class State {
   public:
    State(size_t threads, size_t max_waiting) : count_(threads), limit_(threads + max_waiting) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      {
        const std::lock_guard<std::mutex> held(lock_);
        ended_ = true;
      }
      changed_.notify_all();
      for (auto& thread : threads_) thread.join();
    }

    void start() {
      threads_.reserve(count_);
      while (threads_.size() < count_) threads_.emplace_back([this] { run(); });
    }

    void put(std::shared_ptr<detail::AnyHandler> handler, Request request) {
      bool call = false;
      {
        const std::lock_guard<std::mutex> held(lock_);
        if (running_ + waiting_.size() < limit_) {
          waiting_.push_back(Job{std::move(handler), std::move(request)});
          call = is_to_call();
        }
      }
      if (call) changed_.notify_one();
      if (request) request.fail(Error("overload.workers", "too many requests wait for a worker thread"));
    }

   private:
    // One thread at a time is called, and calls the next one when it has come and finds more than it takes: requests that come
    // together are mostly run by the few threads that are awake, instead of waking one for each.
    bool is_to_call() {
      if (called_ || idle_ == 0 || waiting_.empty()) return false;
      called_ = true;
      return true;
    }

    void run() {
      std::unique_lock<std::mutex> held(lock_);
      for (;;) {
        while (!ended_ && waiting_.empty()) {
          idle_++;
          changed_.wait(held);
          idle_--;
          called_ = false;
        }
        if (ended_) return;
        Job job = std::move(waiting_.front());
        waiting_.pop_front();
        running_++;
        const bool call = is_to_call();
        held.unlock();
        if (call) changed_.notify_one();
        job.handler->run(std::move(job.request));
        job.handler.reset();
        held.lock();
        running_--;
      }
    }

    const size_t count_, limit_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Job> waiting_;
    size_t running_ = 0, idle_ = 0;
    bool called_ = false;  // a thread was told to come, and has not
    bool ended_ = false;
    std::vector<std::thread> threads_;
  };

  explicit Workers(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace rpcx

#endif
