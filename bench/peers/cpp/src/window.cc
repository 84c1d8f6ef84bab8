#include "window.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <sstream>
#include <thread>

namespace window {
namespace {

enum class Phase { kWarm, kOpen, kOver };

// 1024 buckets for each power of two: latencies are kept to 0.1 %.
constexpr int kBits = 10;
constexpr int kBuckets = 48 << kBits;

std::atomic<Phase> phase{Phase::kWarm};
std::array<std::atomic<uint64_t>, kBuckets> latencies{};
std::atomic<uint64_t> sum{0}, warm{0}, errors{0};
std::mutex first_error_lock;
std::string first_error;

int Bucket(uint64_t nanos) {
  const int shift = std::max(0, 63 - kBits - __builtin_clzll(nanos | 1));
  return static_cast<int>(std::min<uint64_t>((static_cast<uint64_t>(shift) << kBits) + (nanos >> shift), kBuckets - 1));
}

// The middle of a bucket in nanoseconds.
double Value(int bucket) {
  const int shift = std::max(0, (bucket >> kBits) - 1);
  return shift == 0 ? bucket : (bucket - (shift << kBits) + 0.5) * std::exp2(shift);
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

double OwnCpu() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto micros = [](const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

// Microseconds of CPU of a process; NaN if there is none.
double CpuOf(const std::string& pid) {
  const std::string stat = pid.empty() ? "" : Read("/proc/" + pid + "/stat");
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return NAN;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; i++) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Peak resident memory of a process in MiB; NaN if there is none.
double PeakOf(const std::string& pid) {
  const std::string status = pid.empty() ? "" : Read("/proc/" + pid + "/status");
  const size_t at = status.find("VmHWM:");
  return at == std::string::npos ? NAN : std::atof(status.c_str() + at + 6) / 1024;
}

// The members of a flat JSON object.
class Line {
 public:
  void Number(const char* name, double value) {
    char text[64];
    std::snprintf(text, sizeof text, value == std::floor(value) ? "%.0f" : "%.3f", value);
    Add(name, std::isfinite(value) ? text : "null");
  }
  void Text(const char* name, std::string value) {
    const auto special = [](char c) { return static_cast<unsigned char>(c) < 32 || c == '"' || c == '\\'; };
    std::replace_if(value.begin(), value.end(), special, ' ');
    Add(name, value.empty() ? "null" : '"' + value.substr(0, 200) + '"');
  }
  void Print() const { std::printf("{%s}\n", members_.c_str()); }

 private:
  void Add(const char* name, const std::string& value) {
    members_ += (members_.empty() ? "\"" : ",\"") + std::string(name) + "\":" + value;
  }
  std::string members_;
};

double Quantile(uint64_t calls, double q) {
  uint64_t seen = 0;
  const double wanted = std::max(1.0, std::ceil(q * static_cast<double>(calls)));
  for (int i = 0; i < kBuckets; i++) {
    seen += latencies[static_cast<size_t>(i)];
    if (static_cast<double>(seen) >= wanted) return Value(i) / 1e3;
  }
  return NAN;
}

[[noreturn]] void Report(const Options& options, double seconds, double client_cpu, double server_cpu) {
  uint64_t calls = 0;
  for (const auto& count : latencies) calls += count;
  const auto per_call = [&](double total) { return total / static_cast<double>(calls); };
  std::string error;
  {
    const std::lock_guard<std::mutex> lock(first_error_lock);
    error = first_error;
  }
  Line line;
  line.Number("conns", options.conns);
  line.Number("concurrency", options.concurrency);
  line.Number("seconds", seconds);
  line.Number("calls", static_cast<double>(calls));
  line.Number("total_calls", static_cast<double>(calls + warm));
  line.Number("errors", static_cast<double>(errors));
  line.Text("first_error", error);
  line.Number("throughput", static_cast<double>(calls) / seconds);
  line.Number("mean_us", per_call(static_cast<double>(sum) / 1e3));
  line.Number("p50_us", Quantile(calls, 0.5));
  line.Number("p99_us", Quantile(calls, 0.99));
  line.Number("p999_us", Quantile(calls, 0.999));
  line.Number("max_us", Quantile(calls, 1));
  line.Number("client_cpu_us_per_call", per_call(client_cpu));
  line.Number("server_cpu_us_per_call", per_call(server_cpu));
  line.Number("client_rss_mib", PeakOf("self"));
  line.Number("server_rss_mib", PeakOf(options.server_pid));
  line.Print();
  std::fflush(stdout);
  _exit(calls > 0 ? 0 : 1);  // callers still run: nothing of theirs is destroyed
}

}  // namespace

bool Running() { return phase.load(std::memory_order_relaxed) != Phase::kOver; }

void Done(std::chrono::nanoseconds took) {
  const auto nanos = static_cast<uint64_t>(took.count());
  switch (phase.load(std::memory_order_relaxed)) {
    case Phase::kWarm: warm.fetch_add(1, std::memory_order_relaxed); break;
    case Phase::kOpen:
      latencies[static_cast<size_t>(Bucket(nanos))].fetch_add(1, std::memory_order_relaxed);
      sum.fetch_add(nanos, std::memory_order_relaxed);
      break;
    case Phase::kOver: break;
  }
}

void Failed(const std::string& what) {
  if (!Running()) return;
  errors++;
  const std::lock_guard<std::mutex> lock(first_error_lock);
  if (!first_error.empty()) return;
  first_error = what.empty() ? "a failure without a text" : what;
  std::fprintf(stderr, "first error: %s\n", first_error.c_str());
}

void Run(const Options& options) {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  std::this_thread::sleep_for(Seconds(options.warmup));
  const double client = OwnCpu(), server = CpuOf(options.server_pid);
  const auto began = Clock::now();
  phase = Phase::kOpen;
  std::this_thread::sleep_for(Seconds(options.seconds));
  phase = Phase::kOver;
  const double seconds = Seconds(Clock::now() - began).count();
  Report(options, seconds, OwnCpu() - client, CpuOf(options.server_pid) - server);
}

}  // namespace window
