/* What a closed loop of callers measures, and the report of one JSON line. */
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

/// Latencies in buckets, 1024 for each power of two, so that a value is kept to 0.1 %.
class Recorder {
 public:
  using Clock = std::chrono::steady_clock;

  /// Whether callers go on.
  bool running() const { return phase_.load(std::memory_order_relaxed) != kStop; }

  /// Notes a good call.
  void record(Clock::duration took) {
    switch (phase_.load(std::memory_order_relaxed)) {
      case kMeasure: {
        const auto nanos = static_cast<uint64_t>(std::chrono::nanoseconds(took).count());
        buckets_[bucket(nanos)].fetch_add(1, std::memory_order_relaxed);
        sum_.fetch_add(nanos, std::memory_order_relaxed);
        break;
      }
      case kWarm: warmed_.fetch_add(1, std::memory_order_relaxed); break;
      default: break;
    }
  }

  /// Notes a call that failed; the first one is told on stderr.
  void failed(const std::string& why) {
    if (running() && errors_++ == 0) std::fprintf(stderr, "first error: %s\n", why.c_str());
  }

  /// Waits for warm-up and window and prints the report; the exit status.
  int report(double warmup, double seconds, const std::string& server) {
    sleep(warmup);
    const double client_cpu = own_cpu(), server_cpu = cpu_of(server);
    const auto began = Clock::now();
    phase_ = kMeasure;
    sleep(seconds);
    phase_ = kStop;
    const double took = std::chrono::duration<double>(Clock::now() - began).count();
    const double client_used = own_cpu() - client_cpu, server_used = cpu_of(server) - server_cpu;
    uint64_t calls = 0;
    for (size_t i = 0; i < kBuckets; i++) calls += buckets_[i].load();
    const auto of = static_cast<double>(std::max<uint64_t>(1, calls));
    const nlohmann::ordered_json line = {{"calls", calls},
                                         {"total_calls", calls + warmed_.load()},
                                         {"errors", errors_.load()},
                                         {"throughput", rounded(static_cast<double>(calls) / took)},
                                         {"mean_us", rounded(static_cast<double>(sum_.load()) / 1e3 / of)},
                                         {"p50_us", quantile(calls, 0.5)},
                                         {"p99_us", quantile(calls, 0.99)},
                                         {"p999_us", quantile(calls, 0.999)},
                                         {"client_cpu_us_per_call", rounded(client_used / of)},
                                         {"server_cpu_us_per_call", rounded(server_used / of)},
                                         {"client_rss_mib", rounded(rss_of("self"))},
                                         {"server_rss_mib", rounded(server.empty() ? NAN : rss_of(server))}};
    std::puts(line.dump().c_str());
    std::fflush(stdout);
    return calls > 0 ? 0 : 1;
  }

 private:
  enum Phase { kWarm, kMeasure, kStop };
  static constexpr size_t kPart = 1024, kBuckets = 48 * kPart;

  static size_t bucket(uint64_t value) {
    const int shift = std::max(0, 53 - __builtin_clzll(value | 1));  // leaves 11 bits
    if (shift == 0) return value;
    return std::min<size_t>(static_cast<size_t>(shift) * kPart + (value >> shift), kBuckets - 1);
  }
  static double value_of(size_t bucket) {
    const int shift = std::max(0, static_cast<int>(bucket / kPart) - 1);
    if (shift == 0) return static_cast<double>(bucket);
    return (static_cast<double>(bucket - static_cast<size_t>(shift) * kPart) + 0.5) * static_cast<double>(uint64_t{1} << shift);
  }
  double quantile(uint64_t calls, double of) const {
    auto left = static_cast<int64_t>(std::max(1.0, std::ceil(of * static_cast<double>(calls))));
    for (size_t i = 0; i < kBuckets; i++) {
      left -= static_cast<int64_t>(buckets_[i].load());
      if (left <= 0) return rounded(value_of(i) / 1e3);
    }
    return NAN;
  }
  static double rounded(double value) { return std::round(value * 1e3) / 1e3; }
  static void sleep(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }
  static double own_cpu() {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto micros = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); };
    return micros(used.ru_utime) + micros(used.ru_stime);
  }
  static double cpu_of(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto name_end = text.rfind(')');
    if (pid.empty() || name_end == std::string::npos) return NAN;
    std::istringstream fields(text.substr(name_end + 2));
    std::string skipped;
    for (int i = 0; i < 11; i++) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  static double rss_of(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("VmHWM:", 0) == 0) return std::strtod(line.c_str() + 6, nullptr) / 1024;
    }
    return NAN;
  }

  std::atomic<Phase> phase_{kWarm};
  std::unique_ptr<std::atomic<uint64_t>[]> buckets_{new std::atomic<uint64_t>[kBuckets]()};
  std::atomic<uint64_t> sum_{0}, warmed_{0}, errors_{0};
};
