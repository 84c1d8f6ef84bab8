/* State is destroyed exactly once, whatever happens; nothing is used after its end. Runs under the sanitizers. */
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

// GCC has this function of the sanitizer's, but not the header that declares it.
extern "C" size_t __sanitizer_get_current_allocated_bytes();

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

void many_threads_use_one_client() {
  TestServer test;
  const auto client = test.start();
  const auto shared = method(client, "Echo");
  constexpr int kThreads = 8, kCalls = 200;
  std::vector<std::thread> threads;
  Count ended;
  for (int number = 0; number < kThreads; number++) {
    threads.emplace_back([&, number] {
      const auto own = method(client, "Echo");  // looked up by many at once
      for (int i = 0; i < kCalls; i++) {
        const auto text = std::to_string(number) + "/" + std::to_string(i);
        const auto& echo = i % 2 ? own : shared;
        switch (i % 3) {
          case 0: CHECK(echo.call(text).wait().value().payload() == text); break;
          case 1: CHECK(echo.call(text).future().get().value().payload() == text); break;
          default:
            CHECK(echo.call(text).start([&ended, text](rpcx::Result<rpcx::Reply> reply) {
              CHECK(reply.value().payload() == text);
              ended.raise();
            }));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ended.wait(kThreads * (kCalls / 3));
  CHECK(test.server.connections().value().size() == 1);
}

/// Calls of every sort, each of which ends.
void round_of_calls(TestServer& test, const rpcx::Client& client) {
  const auto echo = method(client, "Echo"), fail = method(client, "Fail"), hold = method(client, "Hold");
  const auto typed = client.service("Test").method<std::string, std::string>("Echo").value();
  std::string into;
  for (int i = 0; i < 20; i++) {
    Count ended;
    for (int j = 0; j < 50; j++) {
      CHECK((j % 2 ? echo : fail).call("callback").start([&, kept = std::string(100, 'x')](rpcx::Result<rpcx::Reply>) {
        ended.raise();
      }));
    }
    for (int j = 0; j < 50; j++) {
      CHECK(echo.call(rpcx::Buffer(std::string(50, 'b'))).wait());
      CHECK(typed.call("typed", rpcx::CallOptions().metadata("a", "b").set("retries", 1)).wait());
      CHECK(typed.call_into("typed again", into).wait() && into == "typed again");
      FAILS(fail.call("waiting").wait(), service);
    }
    ended.wait(50);
    const int holding = test.holding.value();
    auto cancelled = hold.call("x").future();
    test.holding.wait(holding + 1);
    cancelled.cancel();
    FAILS(cancelled.get(), cancelled);
    const std::lock_guard<std::mutex> locked(test.lock);
    test.held.clear();
    // A client that comes and goes beside the one that stays.
    const auto other = rpcx::Client::open(test.server.addresses().at(0)).value();
    CHECK(method(other, "Echo").call("x").wait());
  }
}

void memory_stays_flat() {
  constexpr size_t kMost = 16 * 1024;
  TestServer test;
  const auto client = test.start();
  for (int i = 0; i < 3; i++) round_of_calls(test, client);  // buffers and tables have their size then
  const size_t before = __sanitizer_get_current_allocated_bytes();
  for (int i = 0; i < 5; i++) round_of_calls(test, client);
  // The connections of clients that have gone end a moment later.
  const auto until = std::chrono::steady_clock::now() + 20s;
  size_t after = __sanitizer_get_current_allocated_bytes();
  while (after > before + kMost && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(5ms);
    after = __sanitizer_get_current_allocated_bytes();
  }
  if (after > before + kMost) {
    std::fprintf(stderr, "%zu bytes have become %zu\n", before, after);
    std::abort();
  }
}

/// What a process has that ends with calls under way and nothing closed: reached from here, never destroyed.
struct Unclosed {
  TestServer test;
  rpcx::Client client = test.start();
  rpcx::Method echo = method(client, "Echo"), hold = method(client, "Hold");
  rpcx::Workers workers = rpcx::Workers::start(2).value();
  Count calls;
  std::vector<rpcx::Future<rpcx::Reply>> futures;
};
Unclosed* unclosed;

int exit_in_mid_call() {
  alarm(20);
  unclosed = new Unclosed;
  for (int i = 0; i < 50; i++) unclosed->futures.push_back(unclosed->hold.call("x").future());
  unclosed->test.holding.wait(50);
  for (int i = 0; i < 3; i++) {
    std::thread([] {
      for (;;) {
        CHECK(unclosed->echo.call("x").wait());
        unclosed->calls.raise();
      }
    }).detach();
  }
  unclosed->calls.wait(10);
  return 0;
}

/// The same with a client and a server that static destructors end.
int exit_with_statics() {
  alarm(20);
  static TestServer test;
  static const rpcx::Client client = test.start();
  static std::vector<rpcx::Result<rpcx::Call>> calls;
  for (int i = 0; i < 50; i++) calls.push_back(method(client, "Hold").call("x").then([](rpcx::Result<rpcx::Reply>) {}));
  test.holding.wait(50);
  return 0;
}

void exits(const char* program) {
  for (const char* how : {"exit-in-mid-call", "exit-with-statics"}) {
    for (int turn = 0; turn < 5; turn++) {
      const pid_t child = fork();
      if (child == 0) {
        execl(program, program, how, static_cast<char*>(nullptr));
        _exit(127);
      }
      int status = 0;
      CHECK(child > 0 && waitpid(child, &status, 0) == child);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        std::fprintf(stderr, "%s ended with %#x\n", how, static_cast<unsigned>(status));
        std::abort();
      }
    }
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view how = count == 2 ? arguments[1] : "";
  if (how == "exit-in-mid-call") return exit_in_mid_call();
  if (how == "exit-with-statics") return exit_with_statics();
  state_is_destroyed_once();
  close_during_calls();
  use_after_close();
  destroyed_inside_a_callback();
  requests_outlive_their_server();
  workers_end_with_their_requests();
  many_threads_use_one_client();
  memory_stays_flat();
  exits(arguments[0]);
  std::puts("9 passed, 0 failed");
}
