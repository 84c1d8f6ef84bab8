/* Operations: what takes time, and the four ways to learn how it ended. */
#ifndef RPCX_OPERATION_HPP
#define RPCX_OPERATION_HPP

#include <future>
#include <mutex>

#include "options.hpp"

#if RPCX_COROUTINES
#include <coroutine>
#endif

namespace rpcx {

/// A call under way: what cancels it. The call goes on when this is destroyed.
class Call {
 public:
  /// Takes over a call of the C interface; NULL: one that has ended.
  explicit Call(rpcx_call* raw = nullptr) noexcept : raw_(raw) {}

  /// Ends the call with ErrorKind::cancelled unless it has ended; its server is told. Its result still comes. Any thread, any
  /// number of times.
  void cancel() const noexcept {
    if (raw_) rpcx_call_cancel(raw_.get());
  }

 private:
  detail::Handle<rpcx_call, rpcx_call_free> raw_;
};

/// Cancels from elsewhere an operation that is waited for: by wait() or by a coroutine. Copies stand for the same. It has one
/// operation at a time, the last one that was started with it.
class Canceller {
 public:
  /// Has cancelled nothing yet.
  Canceller() : state_(std::make_shared<State>()) {}

  /// Cancels the operation, or the one that is started next. Any thread, any number of times.
  void cancel() const {
    const std::lock_guard<std::mutex> held(state_->lock);
    state_->cancelled = true;
    state_->call.cancel();
  }
  /// Whether it was.
  [[nodiscard]] bool is_cancelled() const {
    const std::lock_guard<std::mutex> held(state_->lock);
    return state_->cancelled;
  }
  /// Takes over an operation that was started.
  void attach(Call call) const {
    const std::lock_guard<std::mutex> held(state_->lock);
    state_->call = std::move(call);
    if (state_->cancelled) state_->call.cancel();
  }

 private:
  struct State {
    std::mutex lock;
    bool cancelled = false;
    Call call;
  };
  std::shared_ptr<State> state_;
};

/// An operation under way, whose result is fetched later.
template <typename T>
class [[nodiscard]] Future {
 public:
  /// That of an operation.
  Future(std::future<Result<T>> future, Call call) noexcept : future_(std::move(future)), call_(std::move(call)) {}

  /// Waits for the result, which is there once.
  [[nodiscard]] Result<T> get() { return future_.get(); }
  /// Waits so long at most; whether the result is there.
  template <typename Rep, typename Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> time) const {
    return future_.wait_for(time) == std::future_status::ready;
  }
  /// Ends the call with ErrorKind::cancelled unless it has ended.
  void cancel() const noexcept { call_.cancel(); }
  /// The standard library's future.
  [[nodiscard]] std::future<Result<T>> release() && { return std::move(future_); }

 private:
  std::future<Result<T>> future_;
  Call call_;
};

/// Something that takes time and has not begun: of a call, it borrows payload and options until it is started, so end the
/// expression that made it with one of wait(), future(), then(), start() and co_await.
///
/// `Starter` is an implementation detail: `error* start(completion, call**)` and `error* wait(reply**)` over the C interface,
/// and `reader()`, the function that makes a `Result<T>` of a reply.
template <typename T, typename Starter>
class [[nodiscard("start it: with wait(), future(), then(), start() or co_await")]] Operation {
 public:
  /// Made by the functions that return it.
  explicit Operation(Starter starter) : starter_(std::move(starter)) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  /// Lets `canceller` cancel it. For wait() and co_await; the others give a Call or Future that does.
  Operation&& cancelled_by(const Canceller& canceller) && {
    canceller_ = canceller;
    return std::move(*this);
  }

  /// Does it and waits on this thread, which may do the library's own work meanwhile, but runs no callbacks of others.
  /// ErrorKind::config inside a callback, where nothing may block.
  [[nodiscard]] Result<T> wait() && {
    if (canceller_) {
      auto future = std::move(*this).future_with(&*canceller_);
      return future.get();
    }
    rpcx_reply* reply = nullptr;
    if (auto* error = starter_.wait(&reply)) return Error(error);
    return starter_.reader()(reply);
  }

  /// Starts it. A mistake is the future's result too.
  [[nodiscard]] Future<T> future() && { return std::move(*this).future_with(nullptr); }

  /// Starts it; `done`, void(Result<T>), gets the result on a thread of the library, never inside this function. On failure
  /// `done` is destroyed without being run. What is returned cancels it.
  template <typename Done>
  Result<Call> then(Done done) && {
    rpcx_call* call = nullptr;
    if (auto* error = run(std::move(done), &call)) return Error(error);
    return Call(call);
  }

  /// As then(), without a way to cancel it: somewhat cheaper.
  template <typename Done>
  Result<void> start(Done done) && {
    return detail::result(run(std::move(done), nullptr));
  }

#if RPCX_COROUTINES
  /// What `co_await` needs. It lives in the frame of the coroutine, so that nothing is allocated, and keeps nothing of the
  /// Operation: some compilers end temporaries of a condition when the coroutine is suspended.
  class Awaiter {
   public:
    /// Takes over what an operation is made of.
    Awaiter(Starter&& starter, std::optional<Canceller>&& canceller)
        : starter_(std::move(starter)), canceller_(std::move(canceller)) {}

    /// Never: the result comes on a thread of the library.
    [[nodiscard]] bool await_ready() const noexcept { return false; }

    /// Starts it. As soon as it is started the coroutine may run elsewhere, or have ended: only locals are touched then.
    bool await_suspend(std::coroutine_handle<> waiting) {
      waiting_ = waiting;
      auto completion = detail::sized<rpcx_completion>();
      completion.done = [](void* user_data, rpcx_reply* reply, rpcx_error* error) noexcept {
        auto& awaiter = *static_cast<Awaiter*>(user_data);
        awaiter.put(reply, error);
        awaiter.waiting_.resume();
      };
      completion.user_data = this;
      const auto canceller = canceller_;
      rpcx_call* call = nullptr;
      if (auto* error = starter_.start(&completion, canceller ? &call : nullptr)) {
        result_.emplace(Error(error));
        return false;
      }
      if (canceller) canceller->attach(Call(call));
      return true;
    }

    /// How it ended.
    [[nodiscard]] Result<T> await_resume() { return std::move(*result_); }

   private:
    void put(rpcx_reply* reply, rpcx_error* error) {
      if (error) {
        result_.emplace(Error(error));
      } else {
        result_.emplace(starter_.reader()(reply));
      }
    }

    Starter starter_;
    std::optional<Canceller> canceller_;
    std::optional<Result<T>> result_;
    std::coroutine_handle<> waiting_;
  };

  /// Starts it and suspends the coroutine, which goes on, with a Result<T>, on the thread of the library that learned how it
  /// ended: what blocks there delays other calls.
  Awaiter operator co_await() && { return Awaiter(std::move(starter_), std::move(canceller_)); }
#endif

 private:
  template <typename Done>
  struct State {
    Done done;
    decltype(std::declval<Starter&>().reader()) read;
  };

  template <typename Done>
  rpcx_error* run(Done&& callback, rpcx_call** call) {
    using S = State<std::decay_t<Done>>;
    auto state = std::unique_ptr<S>(new S{std::forward<Done>(callback), starter_.reader()});
    auto completion = detail::sized<rpcx_completion>();
    completion.done = [](void* user_data, rpcx_reply* reply, rpcx_error* error) noexcept {
      auto& [done, read] = *static_cast<S*>(user_data);
      if (error) {
        done(Result<T>(Error(error)));
      } else {
        done(read(reply));
      }
    };
    completion.drop_user_data = detail::drop<S>;
    completion.user_data = state.release();
    return starter_.start(&completion, call);
  }

  Future<T> future_with(const Canceller* canceller) && {
    std::promise<Result<T>> promise;
    auto future = promise.get_future();
    rpcx_call* call = nullptr;
    auto put = [promise = std::move(promise)](Result<T> result) mutable { promise.set_value(std::move(result)); };
    if (auto* error = run(std::move(put), &call)) {
      std::promise<Result<T>> failed;
      failed.set_value(Error(error));
      return {failed.get_future(), Call()};
    }
    if (canceller) {
      canceller->attach(Call(call));
      return {std::move(future), Call()};
    }
    return {std::move(future), Call(call)};
  }

  Starter starter_;
  std::optional<Canceller> canceller_;
};

#if RPCX_COROUTINES
/// A coroutine that nobody waits for, such as a handler that calls other services:
///
///     server.handle("Arith", "Twice", [mul](rpcx::Request request) -> rpcx::Detached {
///       auto reply = co_await mul.call(request.payload());
///       if (reply) request.answer(reply->payload());
///       else request.fail(reply.error());
///     });
///
/// It begins at once. What it throws ends it. Such a lambda's captures live as long as the lambda: copy what is needed after
/// a `co_await` into locals if the server may be freed meanwhile.
struct Detached {
  /// What the language asks for.
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept {}
  };
};
#endif

namespace detail {

/// Fails what was to be started, and gives its state back.
inline rpcx_error* refuse(rpcx_error* error, const rpcx_completion* completion) noexcept {
  if (completion && completion->drop_user_data) completion->drop_user_data(completion->user_data);
  return error;
}

/// Reads a reply that says nothing but that it went well.
struct ReadNothing {
  Result<void> operator()(rpcx_reply* reply) const noexcept {
    rpcx_reply_free(reply);
    return {};
  }
};

/// Reads a reply as it is.
struct ReadReply {
  Result<Reply> operator()(rpcx_reply* reply) const noexcept { return Reply(reply); }
};

/// Starts of something else than a call: two lambdas over the C interface.
template <typename Start, typename Wait>
struct Plain {
  Start start_;
  Wait wait_;

  rpcx_error* start(const rpcx_completion* completion, rpcx_call**) { return start_(completion); }
  rpcx_error* wait(rpcx_reply**) { return wait_(); }
  ReadNothing reader() const noexcept { return {}; }
};

template <typename Start, typename Wait>
Operation<void, Plain<Start, Wait>> plain(Start start, Wait wait) {
  return Operation<void, Plain<Start, Wait>>(Plain<Start, Wait>{std::move(start), std::move(wait)});
}

}  // namespace detail
}  // namespace rpcx

#endif
