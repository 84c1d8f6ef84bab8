/* The test services. */
#pragma once

#include "tally.hpp"
#include "timer.hpp"

/// Clients for nested calls, by address.
class Clients {
 public:
  rpcx::Result<rpcx::Client> at(const std::string& address) {
    const std::lock_guard<std::mutex> held(lock_);
    if (const auto found = clients_.find(address); found != clients_.end()) return found->second;
    rpcx::ClientOptions options;
    options.set("timeout", 0);  // no deadline but the one that a call inherits
    auto client = rpcx::Client::open(address, options);
    if (client) clients_.emplace(address, *client);
    return client;
  }

 private:
  std::mutex lock_;
  std::map<std::string, rpcx::Client> clients_;
};

/// What the handlers share; it outlives the server.
struct World {
  Tally tally;
  Timer timer;
  Clients clients;
};

/// Adds `Arith`, `Alias`, `Echo`, `Fn` and `Hello`.
void add_plain(rpcx::Server& server, World& world);

/// Adds `Test`. Handlers that block run on `workers`.
void add_test(rpcx::Server& server, World& world, const rpcx::Workers& workers);

/// Sends the request's metadata back with `echo-` before each key.
void echo_metadata(const rpcx::Request& request);
