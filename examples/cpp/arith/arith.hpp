/* The service of Go's own examples, as both programs know it. On the wire: Arith with Mul, Add, Div and Say. */
#pragma once

#include <cstdio>
#include <cstdlib>
#include <rpcx.hpp>
#include <rpcx/nlohmann.hpp>
#include <string>

// README: the text from here on.

/// Go's `type Args struct { A, B int }`.
struct Args {
  int64_t A, B;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Args, A, B)

/// Go's `type Reply struct { C int }`.
struct Product {
  int64_t C;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Product, C)

template <>
struct rpcx::Codec<Args> : rpcx::NlohmannCodec<Args> {};
template <>
struct rpcx::Codec<Product> : rpcx::NlohmannCodec<Product> {};
// README: the text up to here.

/// A name, and the greeting that comes back.
struct Text {
  std::string text;
};
inline void to_json(nlohmann::json& json, const Text& text) { json = text.text; }
inline void from_json(const nlohmann::json& json, Text& text) { json.get_to(text.text); }

template <>
struct rpcx::Codec<Text> : rpcx::NlohmannCodec<Text> {};

/// The value of `--addr`, or the default; ends the program when something else stands there.
inline std::string address(int argc, char** argv) {
  if (argc == 1) return "tcp@127.0.0.1:8972";
  if (argc == 3 && std::string(argv[1]) == "--addr") return argv[2];
  std::fprintf(stderr, "usage: --addr <address>, such as tcp@127.0.0.1:8972 (the default), unix@/tmp/arith.sock\n");
  std::exit(2);
}
