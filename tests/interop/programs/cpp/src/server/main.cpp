/* The interop server: every test service, on the addresses that the command line names. */
#include <cstdio>

#include "../common/args.hpp"
#include "../common/signals.hpp"
#include "../common/trace.hpp"
#include "services.hpp"

namespace {

constexpr const char* kUsage =
    "usage: server --listen ADDRESS… [--registry URL…] [--meta QUERY] [--auth TOKEN] [--option NAME=VALUE…]\n"
    "              [--tls-cert FILE --tls-key FILE [--tls-client-ca FILE]]\n"
    "\n"
    "Serves the interop test services until SIGTERM. What ends in … takes several values or is repeated.\n"
    "\n"
    "  --listen ADDRESS         tcp@127.0.0.1:0, unix@/run/x.sock, …; port 0 is chosen by the system\n"
    "  --registry URL           where the services are announced\n"
    "  --meta QUERY             metadata for the registry\n"
    "  --auth TOKEN             every other token is refused\n"
    "  --option NAME=VALUE      a server option by its name\n"
    "  --tls-cert, --tls-key    PEM files; --tls-client-ca asks clients for a certificate\n";

constexpr auto kPatience = std::chrono::seconds(10);  // how long a stop waits for calls in progress

/// The files of the command line, and the options they are.
constexpr const char* kFiles[][2] = {{"tls-cert", "tls.cert"}, {"tls-key", "tls.key"}, {"tls-client-ca", "tls.client_ca"}};

rpcx::ServerOptions options_of(const Args& args) {
  rpcx::ServerOptions options;
  for (const auto& option : args.all("option")) {
    const auto at = option.find('=');
    if (at == std::string::npos) refuse("--option " + option + ": write it as NAME=VALUE", kUsage);
    if (option == "trace=true") {
      options.intercept(continue_trace);
    } else {
      options.set(option.substr(0, at), option.substr(at + 1));
    }
  }
  for (const auto& [argument, option] : kFiles) {
    if (const auto path = args.one(argument); !path.empty()) options.set(option, path);
  }
  return options;
}

/// The value of a `--option` that is of use here too.
std::string option_of(const Args& args, const std::string& name, const char* unset) {
  for (const auto& option : args.all("option")) {
    if (option.rfind(name + "=", 0) == 0) return option.substr(name.size() + 1);
  }
  return unset;
}

void print(const form::Json& line) {
  std::puts(line.dump().c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Args args(argc, argv, kUsage,
                  {"listen", "registry", "meta", "auth", "option", "tls-cert", "tls-key", "tls-client-ca"});
  if (args.all("listen").empty()) refuse("--listen ADDRESS is missing", kUsage);
  const EndSignals end;
  World world;
  rpcx::Server server(options_of(args));
  const auto workers = rpcx::Workers::start(std::strtoul(option_of(args, "worker_threads", "64").c_str(), nullptr, 10),
                                            std::strtoul(option_of(args, "worker_queue", "4096").c_str(), nullptr, 10))
                           .value();
  for (const auto& address : args.all("listen")) server.listen(address);
  for (const auto& url : args.all("registry")) server.registry(url);
  add_plain(server, world);
  add_test(server, world, workers);
  if (const auto token = args.one("auth"); !token.empty()) {
    server.authenticator([token](rpcx::Auth auth) {
      if (auth.token() == token) {
        auth.accept();
      } else {
        auth.refuse("invalid token");
      }
    });
  }
  if (const auto meta = args.one("meta"); !meta.empty()) {
    if (const auto set = server.set_metadata("", meta); !set) refuse(set.error().what(), kUsage);
  }
  if (const auto started = server.start().wait(); !started) refuse(started.error().what(), kUsage);
  print({{"ready", true}, {"language", "cpp"}, {"version", rpcx::version()}, {"addresses", server.addresses()}});
  end.wait();
  if (const auto stopped = server.shutdown(kPatience).wait(); !stopped) {
    std::fprintf(stderr, "%s\n", stopped.error().what());
  }
  print(world.tally.stopped());
  std::fflush(stderr);
  // Without waiting for blocking handlers that outlast the shutdown.
  std::_Exit(0);
}
