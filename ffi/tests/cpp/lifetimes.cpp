/* State is destroyed exactly once, whatever happens; nothing is used after its end. Runs under the sanitizers. */
#include "check.hpp"

namespace {

void state_is_destroyed_once() {
  TestServer test;
  const auto client = test.start();
  Count destroyed;
  const auto begin = [&](const rpcx::Method& to, const rpcx::CallOptions& options) {
    return to.call("x", options).start([witness = Witness(destroyed)](rpcx::Result<rpcx::Reply>) {});
  };
  const auto echo = method(client, "Echo");
  CHECK(begin(echo, {}));
  destroyed.wait(1);
  rpcx::CallOptions wrong;
  wrong.set("tiemout", 5);
  FAILS(begin(echo, wrong), config);
  CHECK(destroyed.value() == 2);
  client.close();
  (void)begin(echo, {});
  destroyed.wait(3);
  CHECK(destroyed.value() == 3);

  Count handlers;
  {
    rpcx::Server unstarted;
    unstarted.handle("A", "B", [witness = Witness(handlers)](rpcx::Request) {});
    unstarted.handle("A", "B", [witness = Witness(handlers)](rpcx::Request) {});
    unstarted.authenticator([witness = Witness(handlers)](rpcx::Auth auth) { auth.accept(); });
    unstarted.fallback([witness = Witness(handlers)](rpcx::Request) {});
  }
  handlers.wait(4);
  Count refused;
  {
    rpcx::Server wrong_server(rpcx::ServerOptions().set("tiemout", 5));
    wrong_server.handle("A", "B", [witness = Witness(refused)](rpcx::Request) {});
    rpcx::CallOptions none;
    rpcx::ClientOptions options;
    options.intercept([witness = Witness(refused)](rpcx::Interception call) { CHECK(std::move(call).pass()); });
  }
  CHECK(refused.value() == 2);
  Count started;
  {
    TestServer twice;
    const auto first = twice.start();
    FAILS(twice.server.start().start([witness = Witness(started)](rpcx::Result<void>) {}), config);
    twice.server.handle("Late", "B", [witness = Witness(started)](rpcx::Request) {});
  }
  CHECK(started.value() == 2);
  Count logger;
  CHECK(rpcx::set_logger(rpcx::LogLevel::trace, [witness = Witness(logger)](const rpcx::LogRecord&) {}));
  CHECK(rpcx::clear_logger());
  logger.wait(1);
  Count buffers;
  struct Kept {
    Witness witness;
    std::string bytes;
    const char* data() const { return bytes.data(); }
    size_t size() const { return bytes.size(); }
  };
  FAILS(echo.call(rpcx::Buffer(Kept{Witness(buffers), "x"})).wait(), closed);
  CHECK(buffers.value() == 1);
  { const rpcx::Buffer unused(Kept{Witness(buffers), "x"}); }
  CHECK(buffers.value() == 2);
}

void close_during_calls() {
  TestServer test;
  Count ended;
  {
    auto client = test.start();
    const auto hold = method(client, "Hold");
    for (int i = 0; i < 50; i++) {
      CHECK(hold.call("x").start([&](rpcx::Result<rpcx::Reply> reply) {
        FAILS(reply, closed);
        ended.raise();
      }));
    }
    test.holding.wait(50);
  }  // the last handle of the client
  ended.wait(50);
  const std::lock_guard<std::mutex> locked(test.lock);
  for (auto& request : test.held) request.answer("to nobody");
}

void use_after_close() {
  TestServer test;
  const auto client = test.start();
  const auto echo = method(client, "Echo");
  CHECK(echo.call("x").wait());
  client.close();
  client.close();
  FAILS(echo.call("x").wait(), closed);
  FAILS(client.method("A", "B"), closed);
  test.server.close();
  test.server.close();
  CHECK(test.server.shutdown(1s).wait());
}

void destroyed_inside_a_callback() {
  TestServer test;
  auto client = std::make_unique<rpcx::Client>(test.start());
  auto echo = std::make_unique<rpcx::Method>(method(*client, "Echo"));
  Count done;
  auto call = std::make_shared<rpcx::Call>();
  CHECK(echo->call("x").start([&, call](rpcx::Result<rpcx::Reply> reply) {
    CHECK(reply);
    FAILS(echo->call("x").wait(), config);  // nothing may block here
    *call = rpcx::Call();
    echo.reset();
    client.reset();
    done.raise();
  }));
  done.wait(1);
  Count ended;
  {
    auto server = std::make_shared<rpcx::Server>();
    server->listen("tcp@127.0.0.1:0").handle("A", "Free", [server, &ended](rpcx::Request request) mutable {
      server->close();
      server.reset();
      request.answer("");
      ended.raise();
    });
    server->start().wait().value();
    const auto other = rpcx::Client::open(server->addresses()[0]).value();
    const auto free = other.method("A", "Free").value();
    server.reset();
    (void)free.call("").wait();
    ended.wait(1);
  }
}

void requests_outlive_their_server() {
  std::vector<rpcx::Request> held;
  {
    TestServer test;
    const auto client = test.start();
    auto future = method(client, "Hold").call("x").future();
    test.holding.wait(1);
    test.server.close();
    FAILS(future.get(), closed);
    held = std::move(test.held);
  }
  CHECK(held[0].payload() == "x");
  held[0].answer("to nobody");
  held[0].answer("again");  // there is no request any more: nothing happens
}

void workers_end_with_their_requests() {
  TestServer test;
  Count began;
  std::optional<rpcx::Workers> workers = rpcx::Workers::start(2).value();
  test.server.handle_on(*workers, "W", "Work", [&](rpcx::Request request) {
    began.raise();
    request.answer("");
  });
  const auto client = test.start();
  const auto work = client.method("W", "Work").value();
  for (int i = 0; i < 20; i++) CHECK(work.call("").wait());
  CHECK(began.value() == 20);
  workers.reset();
  CHECK(!work.call("").wait());
}

}  // namespace

int main() {
  state_is_destroyed_once();
  close_during_calls();
  use_after_close();
  destroyed_inside_a_callback();
  requests_outlive_their_server();
  workers_end_with_their_requests();
  std::puts("6 passed, 0 failed");
}
