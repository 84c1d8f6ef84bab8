// gRPC in C++ as its users write it, for the benchmark: `server|client`, --flavor, and the options that every program of
// the benchmark has.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "client.h"
#include "options.h"
#include "server.h"

namespace {

constexpr char kUsage[] =
    "usage: grpc-cpp server --addr HOST:PORT [--flavor callback|blocking]\n"
    "       grpc-cpp client --addr HOST:PORT --conns N --concurrency N --seconds S [--warmup S] [--server-pid PID]\n"
    "                       [--flavor callback|queue|blocking]\n";

Options Parse(int argc, char** argv) {
  Options o;
  for (int i = 2; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::invalid_argument(name + " needs a value");
    const std::string value = argv[i + 1];
    if (name == "--addr") {
      o.address = value;
    } else if (name == "--flavor") {
      o.flavor = value;
    } else if (name == "--conns") {
      o.conns = std::max(1, std::stoi(value));
    } else if (name == "--concurrency") {
      o.concurrency = std::max(1, std::stoi(value));
    } else if (name == "--seconds") {
      o.seconds = std::stod(value);
    } else if (name == "--warmup") {
      o.warmup = std::stod(value);
    } else if (name == "--server-pid") {
      o.server_pid = value;
    } else {
      throw std::invalid_argument(name + ": unknown");
    }
  }
  if (o.address.empty()) throw std::invalid_argument("--addr HOST:PORT is missing");
  if (o.flavor.empty()) o.flavor = "callback";
  o.conns = std::min(o.conns, o.concurrency);
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string mode = argc > 1 ? argv[1] : "";
    const Options options = Parse(argc, argv);
    if (mode == "server") {
      Serve(options);
    } else if (mode == "client") {
      Call(options);
    } else {
      throw std::invalid_argument("the first argument is server or client");
    }
  } catch (const std::invalid_argument& e) {
    std::fprintf(stderr, "%s\n%s", e.what(), kUsage);
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
