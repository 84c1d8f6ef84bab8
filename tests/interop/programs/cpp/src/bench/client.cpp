/* Calls `Hello.Say` in a closed loop, with every default on, and prints what it measured. */
#include <rpcx.hpp>

#include "../common/args.hpp"
#include "message.hpp"
#include "recorder.hpp"

namespace {

constexpr const char* kUsage =
    "usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]\n"
    "                    [--flavor async|blocking] [--threads N]\n"
    "\n"
    "Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.\n"
    "\n"
    "  --flavor async (or callback)   the callback of a call starts the next, the default\n"
    "  --flavor blocking (or sync)    a thread a caller\n"
    "  --threads N                    so many threads of the library, one unless given\n";

using Say = rpcx::TypedMethod<pb::BenchmarkMessage, pb::BenchmarkMessage>;
using Reply = rpcx::Result<rpcx::Response<pb::BenchmarkMessage>>;

/// Records a call; the moment at which it ended, and the next begins.
Recorder::Clock::time_point note(Recorder& recorder, Recorder::Clock::time_point began, const Reply& reply) {
  const auto now = Recorder::Clock::now();
  if (!reply) {
    recorder.failed(reply.error().what());
  } else if (!is_ok(reply->value)) {
    recorder.failed("a reply without OK and 100");
  } else {
    recorder.record(now - began);
  }
  return now;
}

/// A caller without a thread.
struct Caller {
  Recorder& recorder;
  Say say;
  pb::BenchmarkMessage message = request();

  Recorder::Clock::time_point began = Recorder::Clock::now();

  void next() {
    while (recorder.running()) {
      const auto started = say.call(message).start([this](const Reply& reply) {
        began = note(recorder, began, reply);
        next();
      });
      if (started) return;
      recorder.failed(started.error().what());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
};

void blocking(Recorder& recorder, const Say& say) {
  const auto message = request();
  auto began = Recorder::Clock::now();
  while (recorder.running()) began = note(recorder, began, say.call(message).wait());
}

/// A client has one connection to a server, so a client per connection. The first call opens it.
Say connect(const Args& args) {
  rpcx::ClientOptions options;
  options.threads(static_cast<size_t>(args.number("threads", 1)));
  const auto client = rpcx::Client::open("tcp@" + args.one("addr"), options).value();
  auto say = client.service("Hello").method<pb::BenchmarkMessage, pb::BenchmarkMessage>("Say").value();
  say.call(request()).wait().value();
  static std::vector<rpcx::Client> kept;  // as long as the process
  kept.push_back(client);
  return say;
}

}  // namespace

int main(int argc, char** argv) {
  const Args args(argc, argv, kUsage,
                  {"addr", "conns", "concurrency", "seconds", "warmup", "server-pid", "flavor", "threads", "peer"});
  if (args.one("addr").empty()) refuse("--addr HOST:PORT is missing", kUsage);
  const auto flavor = args.one("flavor", "async");
  const bool threads = flavor == "blocking" || flavor == "sync";
  if (!threads && flavor != "async" && flavor != "callback") refuse("--flavor " + flavor + ": expected async or blocking", kUsage);
  const auto concurrency = std::max<size_t>(1, static_cast<size_t>(args.number("concurrency", 1)));
  const auto conns = std::clamp<size_t>(static_cast<size_t>(args.number("conns", 1)), 1, concurrency);
  Recorder recorder;
  try {
    std::vector<Say> connected;
    for (size_t i = 0; i < conns; i++) connected.push_back(connect(args));
    for (size_t i = 0; i < concurrency; i++) {
      const auto& say = connected[i % conns];
      if (threads) {
        std::thread([&recorder, say] { blocking(recorder, say); }).detach();
      } else {
        (new Caller{recorder, say})->next();  // lives as long as the process
      }
    }
    std::_Exit(recorder.report(args.number("warmup", 0.7), args.number("seconds", 3), args.one("server-pid")));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-client: %s\n", error.what());
    return 1;
  }
}
