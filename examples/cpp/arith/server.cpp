/* The server of Go's own examples: clients of Go's rpcx and arith-client-cpp find the service Arith here.
 *
 *     arith-server-cpp [--addr tcp@127.0.0.1:8972]
 *
 * It runs until Ctrl-C, then finishes what it has accepted. */
#include <csignal>

#include "arith.hpp"

using namespace std::chrono_literals;

int main(int argc, char** argv) {
  // Before there are other threads, which leave both signals to this one then.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  // README: the text from here on.

  rpcx::Server server;
  server.listen(address(argc, argv))
      .method<Args, Product>("Arith", "Mul", [](const Args& args) { return Product{args.A * args.B}; })
      .method<Args, Product>("Arith", "Add", [](const Args& args) { return Product{args.A + args.B}; })
      .method<Args, Product>("Arith", "Div",
                           [](const Args& args) -> rpcx::Result<Product> {
                             if (args.B == 0) return rpcx::Error("divide by zero");
                             return Product{args.A / args.B};
                           })
      .method<Text, Text>("Arith", "Say", [](const Text& name, rpcx::Request& request) {
        std::printf("%s says hello from %s\n", name.text.c_str(), std::string(request.peer()).c_str());
        return Text{"hello " + name.text};
      });
  if (const auto started = server.start().wait(); !started) {
    std::fprintf(stderr, "%s\n", started.error().what());
    return 1;
  }
  std::printf("listening on %s\n", server.addresses()[0].c_str());
  std::fflush(stdout);
  // README: the text up to here.

  int number = 0;
  sigwait(&ends, &number);
  std::puts("shutting down");
  return server.shutdown(5s).wait() ? 0 : 1;
}
