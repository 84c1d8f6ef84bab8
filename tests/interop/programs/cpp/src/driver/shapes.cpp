#include "shapes.hpp"

#include <array>
#include <initializer_list>

using namespace messages;

namespace {

template <typename T>
rpcx::Result<std::string> encode(rpcx::SerializeType type, const Json& args) {
  if (type == rpcx::SerializeType::thrift) {
    return rpcx::Error("unsupported.codec", "C++ has no library for Thrift here");
  }
  T value{};
  try {
    using form::read;
    if (!args.is_null()) read(form::Form::line, args, value);
  } catch (const form::Mismatch& why) {
    return rpcx::Error("config.bad_argument", std::string("args: ") + why.what());
  }
  return rpcx::encode(type, value);
}

template <typename T>
rpcx::Result<Json> show(rpcx::SerializeType type, std::string_view payload) {
  if (!rpcx::Codec<T>::speaks(type)) return Json(form::to_hex(payload));
  auto value = rpcx::decode<T>(type, payload);
  if (!value) return std::move(value).error();
  using form::write;
  return write(form::Form::line, *value);
}

template <typename A, typename R>
constexpr Shape shape() {
  return {encode<A>, show<R>};
}

struct Known {
  const char* service;
  const char* method;
  Shape shape;
};

constexpr Known kKnown[] = {
    {"Arith", "Mul", shape<ArithArgs, ArithReply>()},   {"Arith", "Add", shape<ArithArgs, ArithReply>()},
    {"Arith", "Div", shape<ArithArgs, ArithReply>()},   {"Alias", "Times", shape<ArithArgs, ArithReply>()},
    {"Arith", "Say", shape<Text, Text>()},              {"Fn", "Greet", shape<Text, Text>()},
    {"Echo", "Types", shape<Types, Types>()},           {"Echo", "Meta", shape<Nothing, Nothing>()},
    {"Test", "Sleep", shape<SleepArgs, SleepReply>()},  {"Test", "Block", shape<SleepArgs, SleepReply>()},
    {"Test", "Fail", shape<TextArgs, Nothing>()},       {"Test", "Panic", shape<TextArgs, Nothing>()},
    {"Test", "Size", shape<SizeArgs, SizeReply>()},     {"Test", "Count", shape<CountArgs, CountReply>()},
    {"Test", "Deadline", shape<Nothing, MsReply>()},    {"Test", "Peer", shape<Nothing, PeerReply>()},
    {"Test", "Nested", shape<NestedArgs, MsReply>()},   {"Test", "Push", shape<PushArgs, Nothing>()},
    {"Test", "Close", shape<Nothing, Nothing>()},
};

}  // namespace

Shape shape_of(const std::string& service, const std::string& method, rpcx::SerializeType type, bool typed) {
  const bool dynamic = type == rpcx::SerializeType::json || type == rpcx::SerializeType::msgpack;
  if (typed || !dynamic) {
    for (const auto& known : kKnown) {
      if (service == known.service && method == known.method) return known.shape;
    }
  }
  return shape<Value, Value>();
}
