/* co_await: C++20. */
#include "check.hpp"

namespace {

rpcx::Detached two_calls(rpcx::Method echo, Count& done) {
  const auto first = co_await echo.call(std::string("a"));
  const auto second = co_await echo.call(first.value().payload());
  CHECK(second.value().payload() == "a");
  rpcx::CallOptions wrong;
  wrong.set("tiemout", 5);
  const auto failed = co_await echo.call("x", wrong);
  FAILS(failed, config);
  done.raise();
}

rpcx::Detached cancelled(rpcx::Method hold, rpcx::Canceller canceller, Count& done) {
  const auto reply = co_await hold.call("x").cancelled_by(canceller);
  FAILS(reply, cancelled);
  done.raise();
}

rpcx::Detached ends(rpcx::Client client, rpcx::Server server, Count& done) {
  const auto client_ended = co_await client.shutdown(10s);
  const auto server_ended = co_await server.shutdown(10s);
  CHECK(client_ended && server_ended);
  done.raise();
}

}  // namespace

int main() {
  TestServer test;
  std::optional<rpcx::Method> echo;
  test.server.handle("Test", "Twice", [&echo](rpcx::Request request) -> rpcx::Detached {
    const auto inner = *echo;
    const auto reply = co_await inner.call(request.payload());
    if (reply) request.answer(std::string(reply->payload()) + std::string(reply->payload()));
    else request.fail(reply.error());
  });
  const auto client = test.start();
  echo = method(client, "Echo");
  CHECK(method(client, "Twice").call("ab").wait().value().payload() == "abab");
  Count done;
  two_calls(*echo, done);
  done.wait(1);
  const rpcx::Canceller canceller;
  cancelled(method(client, "Hold"), canceller, done);
  test.holding.wait(1);
  canceller.cancel();
  done.wait(2);
  ends(client, test.server, done);
  done.wait(3);
  std::puts("4 passed, 0 failed");
}
