/* What a command says of one call, read, checked and encoded. */
#pragma once

#include "shapes.hpp"

/// A client with what its commands need besides.
struct Named {
  rpcx::Client client;
  rpcx::SerializeType serialize_type;            ///< how arguments are encoded unless a call says otherwise
  std::shared_ptr<rpcx::Pushes> pushes = {};     ///< made by the first command that asks for them
};

/// What the reply is shown as.
enum class ReplyAs { value, hex, digest };

/// A call, ready to be made in any way. Its parts that are costly to copy are shared.
struct PreparedCall {
  rpcx::Method method;
  std::shared_ptr<const rpcx::CallOptions> options;
  Shape shape;
  rpcx::SerializeType type;
  ReplyAs reply;
  std::string service, name;
  std::optional<Json> args;  ///< to be encoded; none: `payload` is as it was given
  std::string payload;

  /// The payload for arguments, which stand in place of those of the command.
  std::string encoded(const Json& with) const;
};

/// Reads the fields of a call. Throws Misuse and rpcx::Error for what is wrong with them.
PreparedCall read_call(Fields& fields, const Named& client);

/// The text of an option's value.
std::string option_text(const std::string& name, const Json& value);

/// A serialize type by its name.
rpcx::SerializeType serialize_type_of(const std::string& name);

/// Answers as JSON.
Json failure(const rpcx::Error& error, std::string_view server = {});
Json good(Json fields = Json::object());
Json metadata_of(rpcx::MetadataView metadata);
Json answer_of(const PreparedCall& call, const rpcx::Result<rpcx::ReplyView>& reply,
               std::chrono::steady_clock::time_point began, std::string_view server = {});
