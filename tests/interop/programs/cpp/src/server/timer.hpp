/* One thread that runs things later. */
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

/// Runs what it is given when its time has come, one after the other. What is left when it is destroyed is not run.
class Timer {
 public:
  using Clock = std::chrono::steady_clock;

  Timer() : thread_([this] { run(); }) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    {
      const std::lock_guard<std::mutex> held(lock_);
      ended_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// Runs `what` so much later, on the timer's thread; it must not block.
  void after(std::chrono::milliseconds time, std::function<void()> what) {
    {
      const std::lock_guard<std::mutex> held(lock_);
      waiting_.emplace(Clock::now() + time, std::move(what));
    }
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock<std::mutex> held(lock_);
    while (!ended_) {
      if (waiting_.empty()) {
        changed_.wait(held);
      } else if (const auto first = waiting_.begin(); first->first > Clock::now()) {
        changed_.wait_until(held, first->first);
      } else {
        const auto what = std::move(waiting_.extract(first).mapped());
        held.unlock();
        what();
        held.lock();
      }
    }
  }

  std::mutex lock_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, std::function<void()>> waiting_;
  bool ended_ = false;
  std::thread thread_;
};
