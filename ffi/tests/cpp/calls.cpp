/* Every kind and form of call. */
#include "check.hpp"

/// A type that brings a format of its own, under a number that the protocol leaves free.
struct Point {
  int x = 0, y = 0;
};

template <>
struct rpcx::Codec<Point> {
  static constexpr auto preferred = static_cast<rpcx::SerializeType>(9);

  static rpcx::Result<void> encode(rpcx::SerializeType type, const Point& point, std::string& out) {
    if (type != preferred) return rpcx::unsupported(type);
    if (point.x < 0) return rpcx::encode_error("left of everything");
    out = std::to_string(point.x) + "|" + std::to_string(point.y);
    return {};
  }
  static rpcx::Result<void> decode(rpcx::SerializeType type, std::string_view payload, Point& out) {
    if (type != preferred) return rpcx::unsupported(type);
    const std::string text(payload);
    if (std::sscanf(text.c_str(), "%d|%d", &out.x, &out.y) != 2) return rpcx::decode_error("no point: " + text);
    return {};
  }
};

namespace {

void forms(const rpcx::Client& client) {
  const auto echo = method(client, "Echo");
  CHECK(echo.call("a").wait().value().payload() == "a");
  CHECK(echo.call(std::vector<uint8_t>{'b', 'c'}).wait().value().payload() == "bc");
  CHECK(echo.call(rpcx::Buffer(std::string(100000, 'x'))).wait().value().payload() == std::string(100000, 'x'));
  auto future = echo.call("future").future();
  CHECK(future.get().value().payload() == "future");
  std::string got;
  Count done;
  CHECK(echo.call("then").then([&](rpcx::Result<rpcx::Reply> reply) {
    got = reply.value().payload();
    done.raise();
  }));
  done.wait(1);
  CHECK(got == "then");
  CHECK(echo.call("start").start([&](rpcx::Result<rpcx::Reply> reply) {
    got = reply.value().payload();
    done.raise();
  }));
  done.wait(2);
  CHECK(got == "start");
}

void kinds(const rpcx::Client& client) {
  const auto echo = method(client, "Echo");
  CHECK(echo.broadcast("a").wait().value().payload() == "a");
  CHECK(echo.fork("b").wait().value().payload() == "b");
  const auto informed = echo.inform("c").wait().value();
  CHECK(informed.parts() == 1 && informed.part(0).value().payload() == "c");
  CHECK(!informed.part_server(0).empty() && !informed.part(1));
  CHECK(echo.oneway("d").wait().value().payload().empty());
  CHECK(echo.oneshot("e"));
  rpcx::Batch batch;
  FAILS(batch.call().wait(), config);
  CHECK(batch.add(echo, "1"));
  CHECK(batch.add(method(client, "Fail"), "2"));
  const auto both = batch.call().wait().value();
  CHECK(both.parts() == 2 && both.part(0).value().payload() == "1");
  CHECK(both.part(1).error().message() == "2");
}

void errors(const rpcx::Client& client) {
  const auto failed = method(client, "Fail").call("its own words").wait();
  FAILS(failed, service);
  CHECK(failed.error().message() == "its own words" && failed.error().delivery() == rpcx::Delivery::answered);
  CHECK(failed.error().attempts() == 1 && !failed.error().server().empty() && failed.error().kind_name() == "service");
  bool thrown = false;
  try {
    (void)method(client, "Fail").call("thrown").wait().value();
  } catch (const std::exception& error) {
    thrown = std::string_view(error.what()).find("thrown") != std::string_view::npos;
  }
  CHECK(thrown);
  const auto panicked = method(client, "Throw").call("").wait();
  CHECK(!panicked && panicked.error().kind() == rpcx::ErrorKind::service);
  rpcx::CallOptions wrong;
  wrong.set("tiemout", 5).timeout(1s);
  const auto echo = method(client, "Echo");
  FAILS(echo.call("x", wrong).wait(), config);
  FAILS(echo.call("x", wrong).future().get(), config);
  FAILS(echo.call("x", wrong).start([](rpcx::Result<rpcx::Reply>) { CHECK(false); }), config);
  FAILS(rpcx::Client::open("carrier-pigeon@coop:1"), config);
  FAILS(rpcx::Client::open("tcp@127.0.0.1:1", rpcx::ClientOptions().set("retries", "often")), config);
  auto copied = failed.error();
  copied = rpcx::Error(copied);
  CHECK(copied.message() == "its own words");
}

void options(const rpcx::Client& client, TestServer& test) {
  const auto hold = method(client, "Hold");
  const auto late = hold.call("", rpcx::CallOptions().timeout(50ms)).wait();
  FAILS(late, timeout);
  rpcx::Canceller canceller;
  std::thread([canceller, &test] {
    test.holding.wait(2);
    canceller.cancel();
  }).detach();
  FAILS(hold.call("").cancelled_by(canceller).wait(), cancelled);
  auto future = hold.call("").future();
  test.holding.wait(3);
  CHECK(!future.wait_for(0ms));
  future.cancel();
  FAILS(future.get(), cancelled);
  const std::lock_guard<std::mutex> locked(test.lock);
  CHECK(test.held.size() == 3 && test.held[0].is_cancelled());
  test.held.clear();
}

void metadata() {
  TestServer test;
  test.server.handle("Test", "Meta", [](rpcx::Request request) {
    for (const auto& [key, value] : request.metadata()) CHECK(request.set_metadata("echo-" + std::string(key), value));
    request.answer("");
  });
  const auto client = test.start();
  const auto reply = method(client, "Meta").call("", rpcx::CallOptions().metadata("a", "1").metadata("b", "2")).wait().value();
  CHECK(reply.metadata().get("echo-a") == "1" && reply.metadata().get("echo-b") == "2");
  CHECK(!reply.metadata().get("echo-c"));
  auto copy = rpcx::Metadata::copy(reply.metadata()).value();
  CHECK(copy.remove("echo-a") && !copy.remove("echo-a") && copy.view().size() == reply.metadata().size() - 1);
  FAILS(copy.set("bad", "\xff"), config);
}

void pushes() {
  TestServer test;
  test.server.handle("Test", "Push", [](rpcx::Request request) {
    CHECK(request.push("Test", "Pushed", "hello"));
    request.answer("");
  });
  const auto client = test.start();
  const auto push = method(client, "Push");
  CHECK(push.call("").wait());
  auto pushes = client.pushes().value();
  const auto first = pushes.next(10s).value();
  CHECK(first && first->payload() == "hello" && first->service() == "Test" && first->method() == "Pushed");
  CHECK(!pushes.next(1ms).value());
  client.close();
  FAILS(pushes.next(10s), closed);
}

void statistics(const rpcx::Client& client, const TestServer& test) {
  CHECK(client.stats_json().value().find("\"calls\"") != std::string::npos);
  CHECK(!client.metrics_text("c").value().empty() && !test.server.metrics_text("s").value().empty());
  CHECK(test.server.stats_json().value().front() == '{');
  CHECK(test.server.connections().value().size() == 1 && test.server.connections().value()[0].is_open());
  CHECK(rpcx::options_json().value().front() == '[' && rpcx::errors_json().value().front() == '{');
  CHECK(!rpcx::version().empty() && rpcx::abi_version() >= RPCX_ABI_VERSION);
}

void interceptors() {
  TestServer test;
  test.server.start().wait().value();
  rpcx::ClientOptions options;
  Count after;
  options.intercept([&after](rpcx::Interception call) {
    if (call.payload() == "refuse") {
      CHECK(std::move(call).fail(rpcx::Error("auth.refused", "not this one")));
    } else if (call.payload() == "instead") {
      CHECK(std::move(call).reply(rpcx::Reply::make("mine").value()));
    } else if (call.payload() == "throw") {
      throw 7;
    } else if (call.payload() == "watch") {
      CHECK(call.set_payload("watched"));
      CHECK(std::move(call).next([&after](rpcx::Interception watched, rpcx::Result<rpcx::Reply> result) {
        after.raise();
        CHECK(std::move(watched).end(std::move(result)));
      }));
    } else {
      CHECK(std::move(call).pass());
    }
  });
  const auto client = rpcx::Client::open(test.server.addresses()[0], options).value();
  const auto echo = method(client, "Echo");
  CHECK(echo.call("plain").wait().value().payload() == "plain");
  CHECK(echo.call("instead").wait().value().payload() == "mine");
  CHECK(echo.call("watch").wait().value().payload() == "watched" && after.value() == 1);
  CHECK(!echo.call("refuse").wait());
  FAILS(echo.call("throw").wait(), internal);
}

void formats_of_ones_own() {
  TestServer test;
  test.server
      .method<Point, Point>("Points", "Swap", [](const Point& point) { return Point{point.y, point.x}; })
      .method<Point, Point>("Points", "Left", [](const Point&) { return Point{-1, 0}; })
      .handle("Points", "Wrong", [](rpcx::Request request) { request.answer("here"); })
      .handle("Points", "Show", [](rpcx::Request request) {
        CHECK(request.serialize_type() == rpcx::Codec<Point>::preferred);
        request.answer(request.payload());
      });
  const auto points = test.start().service("Points");
  const auto call = [&](const char* name, Point point) {
    return points.method<Point, Point>(name).value().call(point).wait();
  };
  const auto swapped = call("Swap", {3, 4}).value();
  CHECK(swapped.value.x == 4 && swapped.value.y == 3 && swapped.reply.payload() == "4|3");
  CHECK(call("Show", {5, 6}).value().reply.payload() == "5|6");
  FAILS(call("Swap", {-1, 0}), codec);
  const auto wrong = call("Wrong", {1, 2});
  FAILS(wrong, codec);
  CHECK(wrong.error().message() == "no point: here" && wrong.error().delivery() == rpcx::Delivery::answered);
  CHECK(call("Left", {1, 2}).error().message() == "left of everything");
  // In another format the server's codec does not speak it.
  FAILS(points.method("Swap").value().call("{}", rpcx::CallOptions().serialize_type(rpcx::SerializeType::json)).wait(), codec);
  const auto json = rpcx::TypedMethod<Point, Point>::make(points.method("Swap").value(), rpcx::SerializeType::json).value();
  FAILS(json.call({1, 2}).wait(), codec);
}

/// What takes a mistyped option fails with its name and the one that was meant.
template <typename T>
void is_told(const rpcx::Result<T>& result, std::string_view wrong, std::string_view meant) {
  FAILS(result, config);
  const auto message = std::string(result.error().message());
  const auto expected = "unknown option `" + std::string(wrong) + "`: did you mean `" + std::string(meant) + "`?";
  if (message != expected) std::fprintf(stderr, "expected %s\ngot %s\n", expected.c_str(), message.c_str());
  CHECK(message == expected);
}

void unknown_options(const rpcx::Client& client) {
  is_told(rpcx::Client::open("tcp@127.0.0.1:1", rpcx::ClientOptions().set("tiemout", 500ms)), "tiemout", "timeout");
  is_told(rpcx::Client::open("tcp@127.0.0.1:1", rpcx::ClientOptions().set("timeout", 1s).set("fail-moed", "failfast")),
          "fail-moed", "fail_mode");
  rpcx::Server server(rpcx::ServerOptions().set("max_conections", 5));
  is_told(server.listen("tcp@127.0.0.1:0").start().wait(), "max_conections", "max_connections");
  is_told(method(client, "Echo").call("x", rpcx::CallOptions().set("retires", 1)).wait(), "retires", "retries");
  // A value that the option cannot have is told with what it can.
  const auto wrong = rpcx::Client::open("tcp@127.0.0.1:1", rpcx::ClientOptions().set("fail_mode", "failsometimes"));
  FAILS(wrong, config);
  CHECK(wrong.error().message().find("failover") != std::string_view::npos);
}

}  // namespace

int main() {
  TestServer test;
  const auto client = test.start();
  forms(client);
  kinds(client);
  errors(client);
  options(client, test);
  metadata();
  pushes();
  statistics(client, test);
  interceptors();
  formats_of_ones_own();
  unknown_options(client);
  std::puts("10 passed, 0 failed");
}
