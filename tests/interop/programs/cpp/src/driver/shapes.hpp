/* The types of the methods that are known here. All others take any value. */
#pragma once

#include "../common/messages.hpp"
#include "fields.hpp"

/// How the arguments and replies of a method are encoded and shown.
struct Shape {
  /// Encodes arguments, which are as lines have them; null: all defaults.
  rpcx::Result<std::string> (*encode)(rpcx::SerializeType type, const Json& args);
  /// Shows a reply as lines have it; in a format that the types do not speak, its bytes in hex.
  rpcx::Result<Json> (*show)(rpcx::SerializeType type, std::string_view payload);
};

/// The types of a method; `typed` false: any value, where the format allows that.
Shape shape_of(const std::string& service, const std::string& method, rpcx::SerializeType type, bool typed);
