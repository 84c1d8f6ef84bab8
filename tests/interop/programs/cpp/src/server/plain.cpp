/* Arith, Echo, Fn and Hello: what comes in is answered in place. */
#include "benchmark.pb.h"
#include "services.hpp"

using namespace messages;
using rpcx::Error;
using rpcx::Request;
using rpcx::Result;

namespace {

// Numbers wrap around as Go's do.
int64_t wrapped(uint64_t value) { return static_cast<int64_t>(value); }

void add_arith(rpcx::Server& server, Tally& tally) {
  const auto add = [&](const char* name, auto calculate) {
    server.method<ArithArgs, ArithReply>("Arith", name, counted<ArithReply, ArithArgs>(tally, calculate));
  };
  add("Mul", [](ArithArgs& args, Request&) -> Result<ArithReply> {
    return ArithReply{wrapped(static_cast<uint64_t>(args.a) * static_cast<uint64_t>(args.b))};
  });
  add("Add", [](ArithArgs& args, Request&) -> Result<ArithReply> {
    return ArithReply{wrapped(static_cast<uint64_t>(args.a) + static_cast<uint64_t>(args.b))};
  });
  add("Div", [](ArithArgs& args, Request&) -> Result<ArithReply> {
    if (args.b == 0) return Error("divide by zero");
    if (args.b == -1) return ArithReply{wrapped(0 - static_cast<uint64_t>(args.a))};
    return ArithReply{args.a / args.b};
  });
  server.method<Text, Text>("Arith", "Say", counted<Text, Text>(tally, [](Text& name, Request&) -> Result<Text> {
    return Text{"hello " + name.text};
  }));
  server.alias("Alias", "Times", "Arith", "Mul");
}

void add_echo(rpcx::Server& server, Tally& tally) {
  server.handle("Echo", "Raw", [&tally](Request request) {
    tally.end(tally.begin(request), true);
    request.answer(request.payload());
  });
  server.method<Value, Value>("Echo", "Value", counted<Value, Value>(tally, [](Value& value, Request&) -> Result<Value> {
    return std::move(value);
  }));
  server.method<Types, Types>("Echo", "Types", counted<Types, Types>(tally, [](Types& types, Request&) -> Result<Types> {
    return std::move(types);
  }));
  server.method<Nothing, Nothing>(
      "Echo", "Meta", counted<Nothing, Nothing>(tally, [](Nothing&, Request& request) -> Result<Nothing> {
        echo_metadata(request);
        return Nothing();
      }));
}

}  // namespace

void echo_metadata(const Request& request) {
  for (const auto& [key, value] : request.metadata()) {
    if (key.substr(0, 2) == "__") continue;
    // What came as text goes as text.
    (void)request.set_metadata("echo-" + std::string(key), value);
  }
}

void add_plain(rpcx::Server& server, World& world) {
  add_arith(server, world.tally);
  add_echo(server, world.tally);
  server.method<Text, Text>("Fn", "Greet", counted<Text, Text>(world.tally, [](Text& name, Request&) -> Result<Text> {
    return Text{"hi " + name.text};
  }));
  server.method<pb::BenchmarkMessage, pb::BenchmarkMessage>(
      "Hello", "Say",
      counted<pb::BenchmarkMessage, pb::BenchmarkMessage>(
          world.tally, [](pb::BenchmarkMessage& message, Request&) -> Result<pb::BenchmarkMessage> {
            message.set_field1("OK");
            message.set_field2(100);
            return std::move(message);
          }));
}
