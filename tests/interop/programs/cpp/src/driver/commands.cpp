/* What each command does. */
#include <thread>

#include "../common/trace.hpp"
#include "driver.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(10);  // how long `shutdown` waits when the case does not say

std::vector<std::string> list_of(const Json& addresses) {
  std::vector<std::string> list;
  for (const auto& address : addresses) {
    if (!address.is_string()) throw Misuse("discovery: " + address.dump() + " is no address");
    list.push_back(address.get<std::string>());
  }
  return list;
}

/// The servers of an `update`: a list, an address, or `multiple://` with some.
std::vector<std::string> nodes_of(const Json& discovery) {
  if (discovery.is_array()) return list_of(discovery);
  if (!discovery.is_string()) throw Misuse("discovery: " + discovery.dump() + " is no list of addresses");
  auto text = discovery.get<std::string>();
  if (const auto at = text.find("://"); at != std::string::npos) text.erase(0, at + 3);
  std::vector<std::string> nodes;
  for (size_t from = 0; from < text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    nodes.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return nodes;
}

void set_options(rpcx::ClientOptions& options, const std::string& group, const Json& given) {
  for (const auto& [name, value] : given.items()) {
    if (group.empty() && name == "trace" && value == true) {
      options.intercept(continue_trace);
    } else if (group.empty() && value.is_object()) {
      set_options(options, name + ".", value);
    } else {
      options.set(group + name, option_text(name, value));
    }
  }
}

void make_client(Driver& driver, Fields fields) {
  const auto name = fields.text("name");
  const auto discovery = fields.take("discovery").value_or(Json());
  const auto given = fields.object("options"), tls = fields.object("tls");
  fields.done();
  rpcx::ClientOptions options;
  options.set("timeout", 0);  // no deadline unless a case sets one
  set_options(options, "", given);
  if (!tls.empty()) {
    options.set("tls.enabled", true);
    set_options(options, "tls.", tls);
  }
  const auto type = given.contains("serialize_type") ? serialize_type_of(option_text("serialize_type", given["serialize_type"]))
                                                     : rpcx::SerializeType::msgpack;
  if (!discovery.is_string() && !discovery.is_array()) {
    throw Misuse("discovery: " + discovery.dump() + " is neither an address or URL nor a list of addresses");
  }
  auto client = discovery.is_array() ? rpcx::Client::open(list_of(discovery), options).value()
                                     : rpcx::Client::open(discovery.get<std::string>(), options).value();
  if (const auto old = driver.clients.find(name); old != driver.clients.end()) old->second.client.close();
  driver.clients.insert_or_assign(name, Named{std::move(client), type});
}

Named& client_of(Driver& driver, Fields& fields) {
  const auto name = fields.text("client");
  const auto found = driver.clients.find(name);
  if (found == driver.clients.end()) throw Misuse("unknown client \"" + name + "\"");
  return found->second;
}

rpcx::CallKind kind_of(const std::string& name) {
  if (name == "broadcast") return rpcx::CallKind::broadcast;
  if (name == "fork") return rpcx::CallKind::fork;
  if (name == "inform") return rpcx::CallKind::inform;
  if (name == "oneway") return rpcx::CallKind::oneway;
  return rpcx::CallKind::call;
}

/// The answer to a call of any kind.
Json answer_to(rpcx::CallKind kind, const PreparedCall& call, const rpcx::Result<rpcx::Reply>& result, Clock::time_point began) {
  if (!result) return failure(result.error());
  if (kind == rpcx::CallKind::oneway) return good();
  if (kind != rpcx::CallKind::inform) return answer_of(call, result->view(), began);
  Json replies = Json::array();
  for (size_t i = 0; i < result->parts(); i++) {
    replies.push_back(answer_of(call, result->part(i), began, result->part_server(i)));
  }
  return good({{"replies", replies}});
}

void call(Driver& driver, const Json& id, const std::string& name, Fields& fields) {
  const auto prepared = read_call(fields, client_of(driver, fields));
  if (name == "oneshot") {
    prepared.method.oneshot(prepared.payload, *prepared.options).value();
    return driver.print(id, good());
  }
  const auto kind = kind_of(name);
  const auto canceller = driver.begin(id);
  auto done = [&driver, id, kind, prepared, began = Clock::now()](rpcx::Result<rpcx::Reply> result) {
    driver.end(id, answer_to(kind, prepared, result, began));
  };
  auto started = prepared.method.call(prepared.payload, *prepared.options, kind).then(std::move(done));
  if (!started) return driver.end(id, failure(started.error()));
  canceller.attach(std::move(*started));
}

void batch(Driver& driver, const Json& id, Fields& fields) {
  const auto& client = client_of(driver, fields);
  const auto list = fields.take("calls");
  fields.done();
  if (!list || !list->is_array()) throw Misuse("calls: expected a list of calls");
  std::vector<PreparedCall> calls;
  rpcx::Batch batch;
  for (const auto& fields_of_call : *list) {
    if (!fields_of_call.is_object()) throw Misuse("calls: " + fields_of_call.dump() + " is no object");
    Fields its(fields_of_call);
    const auto& call = calls.emplace_back(read_call(its, client));
    batch.add(call.method, call.payload, *call.options).value();
  }
  if (calls.empty()) return driver.print(id, good({{"replies", Json::array()}}));
  const auto canceller = driver.begin(id);
  auto started = batch.call().then([&driver, id, calls = std::move(calls), began = Clock::now()](rpcx::Result<rpcx::Reply> result) {
    if (!result) return driver.end(id, failure(result.error()));
    Json replies = Json::array();
    for (size_t i = 0; i < calls.size(); i++) replies.push_back(answer_of(calls[i], result->part(i), began));
    driver.end(id, good({{"replies", replies}}));
  });
  if (!started) return driver.end(id, failure(started.error()));
  canceller.attach(std::move(*started));
}

Json shown(const rpcx::Push& push) {
  return {{"service", push.service()},
          {"method", push.method()},
          {"metadata", metadata_of(push.metadata())},
          {"hex", form::to_hex(push.payload())}};
}

void pushes(Driver& driver, const Json& id, Fields& fields) {
  auto& client = client_of(driver, fields);
  const auto count = fields.count("count").value_or(1);
  const auto timeout = fields.time("timeout");
  fields.done();
  if (!client.pushes) client.pushes = std::make_shared<rpcx::Pushes>(client.client.pushes().value());
  driver.begin(id);
  std::thread([&driver, id, count, from = client.pushes, until = Clock::now() + timeout.value_or(std::chrono::hours(24 * 365))] {
    Json came = Json::array();
    while (came.size() < count) {
      const auto push = from->next(until - Clock::now());
      if (!push || !*push) break;  // the client was closed, or the time has passed
      came.push_back(shown(**push));
    }
    driver.end(id, good({{"pushes", came}}));
  }).detach();
}

void end(Driver& driver, const Json& id, const std::string& name, Fields& fields) {
  const auto client = client_of(driver, fields).client;
  const auto timeout = fields.time("timeout");
  fields.done();
  const auto patience = name == "shutdown" ? timeout.value_or(kPatience) : std::chrono::milliseconds(0);
  if (patience.count() == 0) {
    client.close();
    return driver.print(id, good());
  }
  driver.begin(id);
  // Calls that it cuts off say so themselves.
  const auto started = client.shutdown(patience).start([&driver, id](rpcx::Result<void>) { driver.end(id, good()); });
  if (!started) driver.end(id, good());
}

}  // namespace

void obey(Driver& driver, const Json& id, Fields fields) {
  const auto name = fields.text("do");
  if (name == "client") {
    make_client(driver, std::move(fields));
    driver.print(id, good());
  } else if (name == "update") {
    const auto client = client_of(driver, fields).client;
    const auto nodes = nodes_of(fields.take("discovery").value_or(Json()));
    fields.done();
    client.set_nodes(nodes).value();
    driver.print(id, good());
  } else if (name == "cancel") {
    const auto running = fields.take("call");
    if (!running) throw Misuse("call is missing");
    fields.done();
    driver.cancel(*running);
    driver.print(id, good());
  } else if (name == "call" || name == "oneway" || name == "oneshot" || name == "broadcast" || name == "fork" ||
             name == "inform") {
    call(driver, id, name, fields);
  } else if (name == "batch") {
    batch(driver, id, fields);
  } else if (name == "burst") {
    const auto client = client_of(driver, fields);
    burst(driver, id, client, fields);
  } else if (name == "pushes") {
    pushes(driver, id, fields);
  } else if (name == "stats") {
    const auto client = client_of(driver, fields).client;
    fields.done();
    driver.print(id, good({{"stats", Json::parse(client.stats_json().value())}}));
  } else if (name == "shutdown" || name == "close") {
    end(driver, id, name, fields);
  } else if (name == "sleep") {
    const auto time = fields.time("ms");
    if (!time) throw Misuse("ms is missing");
    fields.done();
    driver.begin(id);
    std::thread([&driver, id, time = *time] {
      std::this_thread::sleep_for(time);
      driver.end(id, good());
    }).detach();
  } else {
    throw Misuse("unknown command \"" + name + "\"");
  }
}
