/* Serves `Hello.Say` for benchmarks, with every default on. */
#include <rpcx.hpp>

#include "../common/args.hpp"
#include "../common/signals.hpp"
#include "message.hpp"

namespace {

constexpr const char* kUsage =
    "usage: bench-server --addr HOST:PORT [--flavor async|plain] [--threads N]\n"
    "\n"
    "Serves Hello.Say until SIGTERM.\n"
    "\n"
    "  --flavor async (or callback)   the handler answers on the library's threads, the default\n"
    "  --flavor plain (or sync)       the handler runs on worker threads, as those that block do\n"
    "  --threads N                    so many threads of the library instead of one per core\n";

pb::BenchmarkMessage say(pb::BenchmarkMessage& message) {
  answer(message);
  return std::move(message);
}

}  // namespace

int main(int argc, char** argv) {
  const Args args(argc, argv, kUsage, {"addr", "flavor", "threads"});
  if (args.one("addr").empty()) refuse("--addr HOST:PORT is missing", kUsage);
  const auto flavor = args.one("flavor", "async");
  const EndSignals end;
  rpcx::ServerOptions options;
  options.threads(static_cast<size_t>(args.number("threads", 0)));
  rpcx::Server server(options);
  server.listen("tcp@" + args.one("addr"));
  std::optional<rpcx::Workers> workers;
  if (flavor == "plain" || flavor == "sync") {
    workers = rpcx::Workers::start().value();
    server.method_on<pb::BenchmarkMessage, pb::BenchmarkMessage>(*workers, "Hello", "Say", say);
  } else if (flavor == "async" || flavor == "callback") {
    server.method<pb::BenchmarkMessage, pb::BenchmarkMessage>("Hello", "Say", say);
  } else {
    refuse("--flavor " + flavor + ": expected async or plain", kUsage);
  }
  if (const auto started = server.start().wait(); !started) refuse(started.error().what(), kUsage);
  end.wait();
  server.close();
}
