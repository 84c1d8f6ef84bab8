/* A process that forks while the library is at work. Without the address sanitizer, whose allocator may be left locked in a
   child. */
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

namespace {

/// What the child does: nothing of its parent's works or hangs, and it makes its own.
void child(TestServer& test, const rpcx::Client& client, const rpcx::Method& echo, const rpcx::Call& call) {
  FAILS(echo.call("x").wait(), closed);
  FAILS(client.set_nodes({}), closed);
  FAILS(client.method("Test", "Echo"), closed);
  FAILS(test.server.shutdown(10ms).wait(), closed);
  CHECK(test.held[0].payload().empty());
  call.cancel();
  test.held.clear();
  client.close();
  test.server.close();
  TestServer own;
  const auto fresh = own.start();
  CHECK(method(fresh, "Echo").call("child").wait().value().payload() == "child");
}

void fork_at_work() {
  TestServer test;
  const auto client = test.start();
  const auto echo = method(client, "Echo");
  Count ended, calls;
  auto call = method(client, "Hold").call("x").then([&](rpcx::Result<rpcx::Reply> reply) {
    CHECK(reply.value().payload() == "parent");
    ended.raise();
  });
  CHECK(call);
  test.holding.wait(1);
  std::thread busy([&] {
    for (;;) {
      const auto reply = echo.call("x").wait();
      calls.raise();
      if (!reply) return;
    }
  });
  calls.wait(10);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    child(test, client, echo, *call);
    _exit(0);
  }
  int status = 0;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  const int before = calls.value();
  calls.wait(before + 10);
  {
    const std::lock_guard<std::mutex> locked(test.lock);
    test.held[0].answer("parent");
  }
  ended.wait(1);
  client.close();
  busy.join();
}

}  // namespace

int main() {
  for (int turn = 0; turn < 20; turn++) fork_at_work();
  std::puts("1 passed, 0 failed");
}
