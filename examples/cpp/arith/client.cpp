/* The client of Go's own examples: calls the service Arith of a Go server or of arith-server-cpp.
 *
 *     arith-client-cpp [--addr tcp@127.0.0.1:8972] */
#include "arith.hpp"

namespace {

// README: the text from here on.

/// Calls a method and prints what came of it. A server of Go's examples may have only Mul: what it lacks it says.
void show(const rpcx::Service& arith, const char* method, const char* sign, Args args) {
  const auto call = arith.method<Args, Product>(method).value();
  if (const auto reply = call(args).wait()) {
    std::printf("%lld %s %lld = %lld\n", static_cast<long long>(args.A), sign, static_cast<long long>(args.B),
                static_cast<long long>(reply->value.C));
  } else {
    std::printf("%lld %s %lld: %s\n", static_cast<long long>(args.A), sign, static_cast<long long>(args.B),
                reply.error().what());
  }
}
// README: the text up to here.

}  // namespace

int main(int argc, char** argv) {
  const auto client = rpcx::Client::open(address(argc, argv));
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().what());
    return 1;
  }
  const auto arith = client->service("Arith");
  show(arith, "Mul", "x", {10, 20});
  show(arith, "Add", "+", {10, 20});
  show(arith, "Div", "/", {20, 10});
  show(arith, "Div", "/", {20, 0});

  // The same with a future, and what the throwing style looks like.
  try {
    const auto say = arith.method<Text, Text>("Say").value();
    auto greeting = say({"ada"}).future();
    std::printf("%s\n", greeting.get().value().value.text.c_str());
  } catch (const rpcx::Error& error) {
    std::printf("say: %s\n", error.what());
  }
}
