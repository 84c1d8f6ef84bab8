/* Test: time, failures, metadata, pushes, and what the server knows of its callers. */
#include <atomic>
#include <thread>

#include "services.hpp"

using namespace messages;
using namespace std::chrono_literals;
using rpcx::Error;
using rpcx::Request;
using rpcx::Responder;
using rpcx::Result;

namespace {

constexpr auto kHold = 100ms;  // how long a cancelled handler holds its error back: the caller's own clock speaks first
constexpr int64_t kLargest = int64_t{1} << 30;  // the largest reply of Test.Size

std::chrono::milliseconds millis(int64_t ms) { return std::chrono::milliseconds(std::max<int64_t>(0, ms)); }

MsReply left(const Request& request) {
  const auto left = request.remaining();
  return {left ? static_cast<int64_t>(left->count()) : -1};
}

Error cancelled() { return Error("the call was cancelled while its handler slept"); }

/// A request that sleeps without a thread: answered by the timer or, when it is cancelled before, failed somewhat later.
template <typename Value>
struct Sleep {
  Responder<Value> responder;
  std::string method;
  std::atomic<bool> settled{false};  // whoever sets it owns the responder
};

template <typename Value, typename Slept>
void sleep(World& world, Responder<Value> responder, int64_t ms, Slept slept) {
  auto method = world.tally.begin(responder.request());
  auto sleep = std::shared_ptr<Sleep<Value>>(new Sleep<Value>{std::move(responder), std::move(method)});
  const auto watched = sleep->responder.request().on_cancel([&world, sleep] {
    if (sleep->settled.exchange(true)) return;
    world.tally.cancelled(sleep->method);
    world.timer.after(kHold, [sleep] { sleep->responder.fail(cancelled()); });
  });
  if (!watched) std::fprintf(stderr, "%s\n", watched.error().what());
  world.timer.after(millis(ms), [&world, sleep, slept] {
    if (sleep->settled.exchange(true)) return;
    world.tally.end(sleep->method, true);
    sleep->responder.answer(slept(sleep->responder.request()));
  });
}

void add_times(rpcx::Server& server, World& world, const rpcx::Workers& workers) {
  server.method<SleepArgs, SleepReply>("Test", "Sleep", [&world](SleepArgs args, Responder<SleepReply> responder) {
    sleep(world, std::move(responder), args.ms, [args](Request&) { return SleepReply{args.ms}; });
  });
  server.method_on<SleepArgs, SleepReply>(
      workers, "Test", "Block", [&world](SleepArgs& args, Request& request) -> Result<SleepReply> {
        const auto method = world.tally.begin(request);
        const auto until = std::chrono::steady_clock::now() + millis(args.ms);
        while (std::chrono::steady_clock::now() < until) {
          if (request.is_cancelled()) {
            world.tally.cancelled(method);
            std::this_thread::sleep_for(kHold);
            return cancelled();
          }
          std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(10ms, until - std::chrono::steady_clock::now()));
        }
        world.tally.end(method, true);
        return SleepReply{args.ms};
      });
  server.method<Nothing, MsReply>(
      "Test", "Deadline", counted<MsReply, Nothing>(world.tally, [](Nothing&, Request& request) -> Result<MsReply> {
        return left(request);
      }));
}

/// Calls `Test.Nested` of another server, whose deadline and trace keys are those of this request.
void nest(World& world, NestedArgs args, Responder<MsReply> responder) {
  const auto method = world.tally.begin(responder.request());
  const auto fail = [&](const Error& error) {
    world.tally.end(method, false);
    responder.fail(error);
  };
  auto client = world.clients.at(args.address);
  if (!client) return fail(client.error());
  const auto nested = client->service("Test").method<NestedArgs, MsReply>("Nested");
  if (!nested) return fail(nested.error());
  auto context = responder.request().context();
  if (!context) return fail(context.error());
  rpcx::CallOptions options;
  options.parent(*context);
  args.depth--;
  auto kept = std::make_shared<Responder<MsReply>>(std::move(responder));
  const auto started = nested->call(args, options).start([&world, method, kept](Result<rpcx::Response<MsReply>> result) {
    world.tally.end(method, result.has_value());
    if (!result) return kept->fail(result.error());
    for (const auto& [key, value] : result->reply.metadata()) {
      if (key.substr(0, 2) != "__") (void)kept->request().set_metadata(key, value);
    }
    kept->answer(result->value);
  });
  if (started) return;
  world.tally.end(method, false);
  kept->fail(started.error());
}

void add_calls(rpcx::Server& server, World& world, const rpcx::Workers& workers) {
  server.method<NestedArgs, MsReply>("Test", "Nested", [&world](NestedArgs args, Responder<MsReply> responder) {
    if (args.depth > 0) return nest(world, std::move(args), std::move(responder));
    sleep(world, std::move(responder), args.ms, [](Request& request) {
      echo_metadata(request);
      return left(request);
    });
  });
  server.method_on<PushArgs, Nothing>(
      workers, "Test", "Push", counted<Nothing, PushArgs>(world.tally, [](PushArgs& args, Request& request) -> Result<Nothing> {
        for (int64_t n = 0; n < args.count; n++) {
          rpcx::Metadata metadata;
          if (auto set = metadata.set("n", std::to_string(n)); !set) return set.error();
          for (;;) {
            auto pushed = request.push("Test", "Pushed", args.text + "-" + std::to_string(n), metadata);
            if (pushed) break;
            if (pushed.error().kind() != rpcx::ErrorKind::limit) return pushed.error();
            std::this_thread::sleep_for(1ms);  // so many wait that the connection takes no more for now
          }
        }
        return Nothing();
      }));
}

}  // namespace

void add_test(rpcx::Server& server, World& world, const rpcx::Workers& workers) {
  auto& tally = world.tally;
  add_times(server, world, workers);
  add_calls(server, world, workers);
  server.method<TextArgs, Nothing>("Test", "Fail",
                                   counted<Nothing, TextArgs>(tally, [](TextArgs& args, Request&) -> Result<Nothing> {
                                     return Error(args.text);
                                   }));
  server.method<TextArgs, Nothing>("Test", "Panic",
                                   counted<Nothing, TextArgs>(tally, [](TextArgs& args, Request&) -> Result<Nothing> {
                                     throw std::runtime_error(args.text);
                                   }));
  server.method<SizeArgs, SizeReply>(
      "Test", "Size", counted<SizeReply, SizeArgs>(tally, [](SizeArgs& args, Request&) -> Result<SizeReply> {
        if (args.bytes < 0 || args.bytes > kLargest) {
          return Error(std::to_string(args.bytes) + " bytes are not from 0 to " + std::to_string(kLargest));
        }
        return SizeReply{{pattern(static_cast<size_t>(args.bytes))}};
      }));
  server.method<CountArgs, CountReply>(
      "Test", "Count", counted<CountReply, CountArgs>(tally, [&tally](CountArgs& args, Request&) -> Result<CountReply> {
        return tally.of(args.method);
      }));
  server.method<Nothing, PeerReply>(
      "Test", "Peer", counted<PeerReply, Nothing>(tally, [](Nothing&, Request& request) -> Result<PeerReply> {
        return PeerReply{std::string(request.peer()), std::string(request.tls_subject())};
      }));
  server.method<Nothing, Nothing>("Test", "Close",
                                  counted<Nothing, Nothing>(tally, [](Nothing&, Request& request) -> Result<Nothing> {
                                    auto connection = request.connection();
                                    if (!connection) return connection.error();
                                    connection->close();
                                    return Nothing();
                                  }));
}
