/* Servers: typed handlers, workers, authenticators, aliases, fallbacks, nested calls. */
#include "check.hpp"

namespace {

/// Looks like a message of Protocol Buffers.
struct Number {
  int value = 0;
  std::string SerializeAsString() const { return std::to_string(value); }
  bool SerializeToString(std::string* out) const {
    *out = SerializeAsString();
    return value >= 0;
  }
  bool ParseFromArray(const void* data, int size) {
    value = std::atoi(std::string(static_cast<const char*>(data), static_cast<size_t>(size)).c_str());
    return size > 0;
  }
};

rpcx::TypedMethod<Number, Number> typed(const rpcx::Client& client, const char* name) {
  return client.service("Typed").method<Number, Number>(name).value();
}

void typed_handlers() {
  const auto workers = rpcx::Workers::start(2).value();
  std::vector<std::thread> threads;
  TestServer test;
  test.server.method<Number, Number>("Typed", "Double", [](const Number& args) { return Number{2 * args.value}; })
      .method<Number, Number>("Typed", "Fail", [](const Number&) -> rpcx::Result<Number> { return rpcx::Error("no"); })
      .method<Number, Number>("Typed", "Throw", [](const Number&) -> Number { throw rpcx::Error("thrown"); })
      .method<Number, Number>("Typed", "Panic", [](const Number&) -> Number { throw std::runtime_error("seven"); })
      .method<Number, Number>("Typed", "Meta",
                              [](const Number& args, rpcx::Request& request) -> rpcx::Result<Number> {
                                CHECK(request.set_metadata("key", "value"));
                                return args;
                              })
      .method<Number, Number>("Typed", "Later",
                              [&](Number args, rpcx::Responder<Number> responder) {
                                threads.emplace_back([args, responder = std::move(responder)]() mutable {
                                  responder.answer(Number{args.value + 1});
                                });
                              })
      .method_on<Number, Number>(workers, "Typed", "Blocks", [](const Number& args) {
        std::this_thread::sleep_for(1ms);
        return Number{args.value};
      });
  const auto client = test.start();
  CHECK(typed(client, "Double").call({21}).wait().value().value.value == 42);
  CHECK(typed(client, "Double")({4}).future().get().value().value.value == 8);
  CHECK(typed(client, "Double").call({5}, rpcx::CallOptions().set("retries", 1)).wait().value().value.value == 10);
  FAILS(typed(client, "Double").call({-1}).wait(), codec);
  Number into{};
  CHECK(typed(client, "Double").call_into({6}, into).wait() && into.value == 12);
  CHECK(typed(client, "Double").call_into({7}, into).future().get().value().attempts() == 1 && into.value == 14);
  Count ended;
  CHECK(typed(client, "Double").call_into({8}, into).start([&](const rpcx::Result<rpcx::Reply>& reply) {
    CHECK(reply && into.value == 16);
    ended.raise();
  }));
  ended.wait(1);
  FAILS(typed(client, "Double").call_into({-1}, into).wait(), codec);
  CHECK(typed(client, "Fail").call_into({1}, into).wait().error().message() == "no");
  CHECK(typed(client, "Fail").call({1}).wait().error().message() == "no");
  CHECK(typed(client, "Throw").call({1}).wait().error().message() == "thrown");
  CHECK(typed(client, "Panic").call({1}).wait().error().message() == "internal error in Typed.Panic: seven");
  CHECK(typed(client, "Meta").call({1}).wait().value().reply.metadata().get("key") == "value");
  CHECK(typed(client, "Later").call({1}).wait().value().value.value == 2);
  CHECK(typed(client, "Blocks").call({3}).wait().value().value.value == 3);
  CHECK(!client.method("Typed", "Double").value().call("no protobuf: msgpack").wait());
  rpcx::Batch batch;
  CHECK(typed(client, "Double").add_to(batch, {1}));
  CHECK(typed(client, "Double").decode(batch.call().wait().value().part(0)).value().value == 2);
  for (auto& thread : threads) thread.join();
}

void workers_refuse_what_is_too_much() {
  const auto workers = rpcx::Workers::start(1, 1).value();
  Count began, let_go;
  TestServer test;
  test.server.handle_on(workers, "W", "Wait", [&](rpcx::Request request) {
    began.raise();
    let_go.wait(1);
    request.answer("");
  });
  const auto client = test.start();
  const auto wait = client.method("W", "Wait").value();
  auto first = wait.call("").future();
  began.wait(1);
  auto second = wait.call("").future();
  const auto third = wait.call("", rpcx::CallOptions().set("fail_mode", "failfast")).wait();
  FAILS(third, overload);
  let_go.raise();
  CHECK(first.get() && second.get());
}

/// As many handlers run at once as there are threads, however their requests come: each waits for all others.
void workers_run_side_by_side() {
  constexpr int kThreads = 16;
  const auto workers = rpcx::Workers::start(kThreads).value();
  for (int turn = 0; turn < 20; turn++) {
    Count began;
    TestServer test;
    test.server.handle_on(workers, "W", "Meet", [&](rpcx::Request request) {
      began.raise();
      began.wait(kThreads);
      request.answer("");
    });
    const auto client = test.start();
    const auto meet = client.method("W", "Meet").value();
    std::vector<rpcx::Future<rpcx::Reply>> futures;
    for (int i = 0; i < kThreads; i++) futures.push_back(meet.call("").future());
    for (auto& future : futures) CHECK(future.get());
  }
}

void names_and_tokens() {
  TestServer test;
  test.server.alias("Alias", "Echo", "Test", "Echo").fallback([](rpcx::Request request) {
    request.answer(std::string(request.service()) + "/" + std::string(request.method()));
  });
  test.server.authenticator([](rpcx::Auth auth) {
    if (auth.token() == "good") auth.accept();
    else if (auth.token() == "forgotten") return;
    else auth.refuse("invalid token");
  });
  test.server.start().wait().value();
  const auto client = [&](const char* token) {
    return rpcx::Client::open(test.server.addresses()[0], rpcx::ClientOptions().set("auth", token)).value();
  };
  CHECK(client("good").method("Alias", "Echo").value().call("x").wait().value().payload() == "x");
  CHECK(client("good").method("No", "Such").value().call("x").wait().value().payload() == "No/Such");
  const auto refused = method(client("bad"), "Echo").call("x").wait();
  CHECK(!refused && refused.error().message() == "invalid token");
  CHECK(!method(client("forgotten"), "Echo").call("x").wait());
}

void nested() {
  TestServer inner;
  inner.server.handle("Test", "Left", [](rpcx::Request request) {
    request.answer(request.remaining() ? "deadline" : "none");
  });
  const auto to_inner = inner.start();
  TestServer outer;
  outer.server.handle("Test", "Nested", [left = method(to_inner, "Left")](rpcx::Request request) {
    rpcx::CallOptions options;
    options.parent(request.context().value());
    auto kept = std::make_shared<rpcx::Request>(std::move(request));
    CHECK(left.call("", options).start([kept](rpcx::Result<rpcx::Reply> reply) { kept->answer(reply.value().payload()); }));
  });
  const auto client = outer.start();
  CHECK(method(client, "Nested").call("", rpcx::CallOptions().timeout(20s)).wait().value().payload() == "deadline");
}

void ends() {
  TestServer test;
  const auto client = test.start();
  auto call = method(client, "Hold").call("").future();
  test.holding.wait(1);
  Count cancelled;
  {
    const std::lock_guard<std::mutex> locked(test.lock);
    CHECK(test.held[0].on_cancel([&] { cancelled.raise(); }));
  }
  call.cancel();
  cancelled.wait(1);
  test.held.clear();
  CHECK(client.shutdown(10s).wait());
  FAILS(client.method("Test", "Echo"), closed);
  Count closed;
  CHECK(test.server.closed().start([&](rpcx::Result<void>) { closed.raise(); }));
  CHECK(test.server.shutdown(10s).wait());
  closed.wait(1);
}

void mistakes() {
  rpcx::Server server(rpcx::ServerOptions().set("tiemout", 5));
  server.listen("tcp@127.0.0.1:0").handle("A", "B", [](rpcx::Request) {});
  FAILS(server.start().wait(), config);
  rpcx::Server bad;
  bad.listen("tcp@127.0.0.1:notaport");
  FAILS(bad.start().wait(), config);
  CHECK(bad.addresses().empty());
}

/// A server whose interceptors note what they see, the first one outside of the second.
void interceptors() {
  std::mutex lock;
  std::vector<std::string> seen;
  const auto note = [&](std::string what) {
    const std::lock_guard<std::mutex> held(lock);
    seen.push_back(std::move(what));
  };
  rpcx::ServerOptions options;
  options
      .intercept([&](rpcx::Interception call) {
        CHECK(!call.peer().empty() && call.service() == "Test" && !call.is_oneway());
        CHECK(call.remaining() && *call.remaining() > 0ms);
        note("outer " + std::string(call.method()) + " " + std::string(call.payload()));
        if (call.payload() == "refuse") {
          CHECK(std::move(call).fail(rpcx::Error("refused by the server")));
        } else if (call.payload() == "instead") {
          CHECK(std::move(call).reply(rpcx::Reply::make("not the handler's").value()));
        } else if (call.payload() == "throw") {
          throw 7;
        } else {
          CHECK(call.set_metadata("added", "by the interceptor"));
          CHECK(call.set_payload(std::string(call.payload()) + "!"));
          CHECK(std::move(call).next([&](rpcx::Interception ended, rpcx::Result<rpcx::Reply> result) {
            note(result ? "outer ends well" : "outer ends badly");
            CHECK(std::move(ended).end(std::move(result)));
          }));
        }
      })
      .intercept([&](rpcx::Interception call) {
        CHECK(call.metadata().get("added") == "by the interceptor");
        note("inner " + std::string(call.payload()));
        CHECK(std::move(call).pass());
      });
  rpcx::Server server(options);
  server.listen("tcp@127.0.0.1:0")
      .handle("Test", "Echo", [&](rpcx::Request request) {
        CHECK(request.metadata().get("added") == "by the interceptor");
        note("handler");
        request.answer(request.payload());
      })
      .handle("Test", "Fail", [](rpcx::Request request) { request.fail("no"); });
  server.start().wait().value();
  const auto client = rpcx::Client::open(server.addresses().at(0), rpcx::ClientOptions().set("timeout", 10s)).value();
  const auto call = [&](const char* name, const char* payload) {
    seen.clear();
    return method(client, name).call(payload).wait();
  };
  const auto noted = [&](std::vector<std::string> expected) {
    const std::lock_guard<std::mutex> held(lock);
    return seen == expected;
  };
  CHECK(call("Echo", "a").value().payload() == "a!");
  CHECK(noted({"outer Echo a", "inner a!", "handler", "outer ends well"}));
  CHECK(call("Fail", "b").error().message() == "no");
  CHECK(noted({"outer Fail b", "inner b!", "outer ends badly"}));
  CHECK(call("Echo", "refuse").error().message() == "refused by the server");
  CHECK(noted({"outer Echo refuse"}));
  CHECK(call("Echo", "instead").value().payload() == "not the handler's");
  CHECK(!call("Echo", "throw"));
  CHECK(noted({"outer Echo throw"}));
}

void logs() {
  std::mutex lock;
  std::vector<std::string> told;
  Count records;
  const auto log = [&](rpcx::LogLevel least) {
    return rpcx::set_logger(least, [&, least](const rpcx::LogRecord& record) {
      CHECK(record.level <= least && record.target.substr(0, 4) == "rpcx" && !record.message.empty());
      {
        const std::lock_guard<std::mutex> held(lock);
        told.emplace_back(record.message);
      }
      records.raise();
    });
  };
  const auto says = [&](std::string_view part) {
    const std::lock_guard<std::mutex> held(lock);
    for (const auto& message : told) {
      if (message.find(part) != std::string::npos) return true;
    }
    return false;
  };
  const auto slow_call = [] {
    rpcx::Server server(rpcx::ServerOptions().set("slow_call", 1ms));
    server.listen("tcp@127.0.0.1:0").method<std::string, std::string>("Logged", "Slow", [](const std::string& text) {
      std::this_thread::sleep_for(3ms);
      return text;
    });
    server.start().wait().value();
    const auto client = rpcx::Client::open(server.addresses().at(0)).value();
    CHECK(client.method("Logged", "Slow").value().call("x").wait());
    server.shutdown(10s).wait().value();
  };
  CHECK(log(rpcx::LogLevel::warn));
  slow_call();
  records.wait(1);
  CHECK(says("slow") && says("Slow"));
  CHECK(rpcx::clear_logger());
  const int before = records.value();
  slow_call();
  CHECK(records.value() == before);
}

}  // namespace

int main() {
  typed_handlers();
  workers_refuse_what_is_too_much();
  workers_run_side_by_side();
  names_and_tokens();
  nested();
  ends();
  mistakes();
  interceptors();
  logs();
  std::puts("9 passed, 0 failed");
}
