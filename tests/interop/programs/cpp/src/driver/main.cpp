/* The interop driver: reads commands, one JSON object a line, and answers each with a line of the same id. */
#include <iostream>

#include "../common/args.hpp"
#include "driver.hpp"

namespace {

constexpr const char* kUsage =
    "usage: client\n"
    "\n"
    "Drives the interop test services. Reads commands from stdin, one JSON object a line, and answers each on stdout with a\n"
    "line of the same id:\n"
    "\n"
    "  {\"id\":1,\"do\":\"client\",\"name\":\"c\",\"discovery\":\"tcp@127.0.0.1:8972\"}\n"
    "  {\"id\":2,\"do\":\"call\",\"client\":\"c\",\"service\":\"Arith\",\"method\":\"Mul\",\"args\":{\"A\":6,\"B\":7}}\n"
    "\n"
    "do: client update call oneway oneshot batch broadcast fork inform burst cancel pushes stats shutdown close sleep. At the\n"
    "end of input every client is closed.\n";

Json misuse(const std::string& why) { return failure(rpcx::Error("config.bad_argument", why)); }

void line(Driver& driver, const std::string& text) {
  auto fields = Json::parse(text, nullptr, false);
  if (!fields.is_object()) return driver.print(nullptr, misuse("a command is a JSON object on one line"));
  const auto take = [&](const char* name) {
    const auto found = fields.find(name);
    if (found == fields.end()) return Json();
    Json value = *found;
    fields.erase(found);
    return value;
  };
  const Json id = take("id"), wait = take("wait");
  if (!wait.is_null() && !wait.is_boolean()) {
    return driver.print(id, misuse("wait: " + wait.dump() + " is neither true nor false"));
  }
  if (wait.is_boolean() && wait.get<bool>()) driver.finish();
  try {
    obey(driver, id, Fields(std::move(fields)));
  } catch (const rpcx::Error& error) {
    driver.print(id, failure(error));
  } catch (const std::exception& why) {
    driver.print(id, misuse(why.what()));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Args args(argc, argv, kUsage, {});
  Driver driver;
  for (std::string text; std::getline(std::cin, text);) {
    if (text.find_first_not_of(" \t\r") != std::string::npos) line(driver, text);
  }
  for (const auto& [_, named] : driver.clients) named.client.close();
  driver.finish();
  return 0;
}
