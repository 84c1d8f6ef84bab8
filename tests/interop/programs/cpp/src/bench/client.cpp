/* Calls `Hello.Say` in a closed loop, with every default on, and prints what it measured. */
#include <array>
#include <rpcx.hpp>

#include "../common/args.hpp"
#include "message.hpp"
#include "recorder.hpp"

namespace {

constexpr const char* kUsage =
    "usage: bench-client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]\n"
    "                    [--flavor async|queue|blocking] [--threads N]\n"
    "\n"
    "Runs N callers in a closed loop over N connections, checks every reply, and prints one JSON line.\n"
    "\n"
    "  --flavor async (or callback)   the callback of a call starts the next, the default\n"
    "  --flavor queue                 a completion queue of the C interface, with a thread, a core\n"
    "  --flavor blocking (or sync)    a thread a caller\n"
    "  --threads N                    so many threads of the library, one unless given\n";

using Say = rpcx::TypedMethod<pb::BenchmarkMessage, pb::BenchmarkMessage>;

/// Records a call; the moment at which it ended, and the next begins.
template <typename Ended>
Recorder::Clock::time_point note(Recorder& recorder, Recorder::Clock::time_point began, const Ended& ended,
                                 const pb::BenchmarkMessage& reply) {
  const auto now = Recorder::Clock::now();
  if (!ended) {
    recorder.failed(ended.error().what());
  } else if (!is_ok(reply)) {
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
  pb::BenchmarkMessage message = request(), reply = {};

  Recorder::Clock::time_point began = Recorder::Clock::now();

  void next() {
    while (recorder.running()) {
      const auto started = say.call_into(message, reply).start([this](const rpcx::Result<rpcx::Reply>& ended) {
        began = note(recorder, began, ended, reply);
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
  pb::BenchmarkMessage reply;
  auto began = Recorder::Clock::now();
  while (recorder.running()) began = note(recorder, began, say.call_into(message, reply).wait(), reply);
}

/// Callers whose calls end in a completion queue, which one thread takes them from.
class Polled {
 public:
  Polled(Recorder& recorder, const std::vector<Say>& all) : recorder_(recorder) {
    if (auto* error = rpcx_queue_new(0, &queue_)) rpcx::Result<void>(rpcx::Error(error)).value();
    options_.serialize_type(rpcx::SerializeType::protobuf);
    for (const auto& say : all) callers_.push_back({say, Recorder::Clock::now()});
  }

  void run() {
    for (size_t i = 0; i < callers_.size(); i++) start(i);
    std::array<rpcx_event, 64> events{};
    while (recorder_.running()) {
      size_t count = 0;
      if (auto* error = rpcx_queue_wait(queue_, events.data(), sizeof events[0], events.size(), 100, &count)) {
        return recorder_.failed(rpcx::Error(error).what());
      }
      for (size_t i = 0; i < count; i++) end(events[i]);
    }
  }

 private:
  struct Calling {
    Say say;
    Recorder::Clock::time_point began;
  };

  void start(size_t number) {
    payload_.clear();
    message_.SerializeToString(&payload_);
    const auto options = options_.raw();
    const rpcx_slice payload{reinterpret_cast<const uint8_t*>(payload_.data()), payload_.size()};
    const auto* method = callers_[number].say.raw().get();
    if (auto* error = rpcx_method_call_queue(method, payload, &options, queue_, number, nullptr)) {
      recorder_.failed(rpcx::Error(error).what());
    }
  }

  void end(rpcx_event& event) {
    auto& caller = callers_[event.tag];
    caller.began = note(recorder_, caller.began, read(event), reply_);
    start(event.tag);
  }

  rpcx::Result<void> read(const rpcx_event& event) {
    if (event.error) return rpcx::Error(event.error);
    const rpcx::Reply reply(event.reply);
    return rpcx::Codec<pb::BenchmarkMessage>::decode(rpcx::SerializeType::protobuf, reply.payload(), reply_);
  }

  Recorder& recorder_;
  rpcx_queue* queue_ = nullptr;  // as long as the process
  rpcx::CallOptions options_;
  std::vector<Calling> callers_;
  pb::BenchmarkMessage message_ = request(), reply_;
  std::string payload_;
};

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
  const bool queues = flavor == "queue";
  if (!threads && !queues && flavor != "async" && flavor != "callback") {
    refuse("--flavor " + flavor + ": expected async, queue or blocking", kUsage);
  }
  const auto concurrency = std::max<size_t>(1, static_cast<size_t>(args.number("concurrency", 1)));
  const auto conns = std::clamp<size_t>(static_cast<size_t>(args.number("conns", 1)), 1, concurrency);
  Recorder recorder;
  try {
    std::vector<Say> connected;
    for (size_t i = 0; i < conns; i++) connected.push_back(connect(args));
    const auto cores = std::clamp<size_t>(std::thread::hardware_concurrency(), 1, concurrency);
    std::vector<std::vector<Say>> of_core(cores);
    for (size_t i = 0; i < concurrency; i++) {
      const auto& say = connected[i % conns];
      if (queues) {
        of_core[i % cores].push_back(say);
      } else if (threads) {
        std::thread([&recorder, say] { blocking(recorder, say); }).detach();
      } else {
        (new Caller{recorder, say})->next();  // lives as long as the process
      }
    }
    for (size_t i = 0; queues && i < cores; i++) {
      std::thread([&recorder, all = std::move(of_core[i])] { Polled(recorder, all).run(); }).detach();
    }
    std::_Exit(recorder.report(args.number("warmup", 0.7), args.number("seconds", 3), args.one("server-pid")));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-client: %s\n", error.what());
    return 1;
  }
}
