#include "call.hpp"

#include "sha256.hpp"

using rpcx::SerializeType;

namespace {

std::shared_ptr<rpcx::CallOptions> options_of(const Json& given, const Json& metadata, const std::optional<std::string>& compress,
                                              SerializeType type) {
  auto options = std::make_shared<rpcx::CallOptions>();
  for (const auto& [name, value] : given.items()) options->set(name, option_text(name, value));
  for (const auto& [key, value] : metadata.items()) {
    if (!value.is_string()) throw Misuse("metadata: " + key + ": " + value.dump() + " is no text");
    options->metadata(key, value.get<std::string>());
  }
  if (compress) options->set("compress_type", *compress);
  options->serialize_type(type);
  if (auto* mistake = options->mistake()) throw rpcx::Error(mistake);
  return options;
}

ReplyAs reply_as(const std::optional<std::string>& name) {
  if (!name || *name == "value") return ReplyAs::value;
  if (*name == "hex") return ReplyAs::hex;
  if (*name == "digest") return ReplyAs::digest;
  throw Misuse("reply: \"" + *name + "\" is none of value, hex, digest");
}

Json shown(const PreparedCall& call, std::string_view payload) {
  switch (call.reply) {
    case ReplyAs::value: return call.shape.show(call.type, payload).value();
    case ReplyAs::hex: return form::to_hex(payload);
    case ReplyAs::digest: break;
  }
  return {{"bytes", payload.size()}, {"sha256", form::to_hex(sha256(payload))}};
}

}  // namespace

std::string option_text(const std::string& name, const Json& value) {
  switch (value.type()) {
    case Json::value_t::string: return value.get<std::string>();
    case Json::value_t::null: return "";
    case Json::value_t::object: throw Misuse("option " + name + ": " + value.dump() + " is an object");
    case Json::value_t::array: {
      std::string text;
      for (const auto& item : value) text += (text.empty() ? "" : ",") + option_text(name, item);
      return text;
    }
    default: return value.dump();
  }
}

SerializeType serialize_type_of(const std::string& name) {
  for (uint32_t number = 0; number < 16; number++) {
    if (rpcx::to_string(static_cast<SerializeType>(number)) == name) return static_cast<SerializeType>(number);
  }
  throw Misuse("codec: \"" + name + "\" is none of raw, json, msgpack, protobuf, thrift");
}

PreparedCall read_call(Fields& fields, const Named& client) {
  auto service = fields.text("service"), name = fields.text("method");
  auto args = fields.take("args");
  const auto hex = fields.optional_text("hex");
  const auto size = fields.count("size");
  if (args.has_value() + hex.has_value() + size.has_value() > 1) throw Misuse("args, hex and size exclude each other");
  const auto codec = fields.optional_text("codec"), compress = fields.optional_text("compress");
  const auto given = fields.object("options"), metadata = fields.object("metadata");
  const auto reply = reply_as(fields.optional_text("reply"));
  const bool typed = fields.flag("typed", true);
  fields.done();

  auto type = client.serialize_type;
  if (codec) {
    type = serialize_type_of(*codec);
  } else if (const auto option = given.find("serialize_type"); option != given.end() && option->is_string()) {
    type = serialize_type_of(option->get<std::string>());
  }
  std::string payload;
  if (hex) {
    auto bytes = form::from_hex(*hex);
    if (!bytes) throw Misuse("hex: \"" + *hex + "\" is no hexadecimal text");
    payload = std::move(*bytes);
  } else if (size) {
    payload = messages::pattern(*size);
  } else if (type == SerializeType::raw) {
    if (args) throw Misuse("args: the codec raw takes hex or size");
  } else if (!args) {
    args = Json();
  }
  auto options = options_of(given, metadata, compress, type);
  auto method = client.client.method(service, name).value();
  const auto shape = shape_of(service, name, type, typed);
  PreparedCall call{std::move(method), std::move(options), shape, type, reply, std::move(service), std::move(name), args, {}};
  call.payload = args ? call.encoded(*args) : std::move(payload);
  return call;
}

std::string PreparedCall::encoded(const Json& with) const { return shape.encode(type, with).value(); }

Json failure(const rpcx::Error& error, std::string_view server) {
  constexpr const char* kDelivery[] = {"not_sent", "maybe_run", "answered"};
  if (!error.server().empty()) server = error.server();
  return {{"ok", false},
          {"error",
           {{"kind", error.kind_name()},
            {"code", static_cast<uint32_t>(error.kind())},
            {"delivery", kDelivery[static_cast<uint32_t>(error.delivery())]},
            {"message", error.message()},
            {"server", server.empty() ? Json() : Json(server)},
            {"attempts", error.attempts()}}}};
}

Json good(Json fields) {
  fields["ok"] = true;
  return fields;
}

Json metadata_of(rpcx::MetadataView metadata) {
  Json pairs = Json::object();
  for (const auto& [key, value] : metadata) {
    if (key.substr(0, 2) != "__") pairs[std::string(key)] = value;
  }
  return pairs;
}

Json answer_of(const PreparedCall& call, const rpcx::Result<rpcx::ReplyView>& reply,
               std::chrono::steady_clock::time_point began, std::string_view server) {
  if (!reply) return failure(reply.error(), server);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  try {
    return good({{"reply", shown(call, reply->payload())},
                 {"metadata", metadata_of(reply->metadata())},
                 {"server", reply->server()},
                 {"attempts", reply->attempts()},
                 {"ms", took.count()}});
  } catch (const rpcx::Error& error) {
    auto answer = failure(error, reply->server());  // a reply that cannot be decoded
    answer["error"]["attempts"] = reply->attempts();
    return answer;
  }
}
