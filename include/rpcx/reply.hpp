/* Replies, and messages that servers push. */
#ifndef RPCX_REPLY_HPP
#define RPCX_REPLY_HPP

#include "bytes.hpp"
#include "metadata.hpp"

namespace rpcx {

/// A reply, or a part of one, that belongs to another object.
class ReplyView {
 public:
  /// That of the C interface.
  explicit ReplyView(const rpcx_reply* raw) noexcept : raw_(raw) {}

  /// The reply, encoded as the call's serialize type says, decompressed.
  [[nodiscard]] std::string_view payload() const noexcept { return detail::view(rpcx_reply_payload(raw_)); }
  /// The response metadata.
  [[nodiscard]] MetadataView metadata() const noexcept { return MetadataView(rpcx_reply_metadata(raw_)); }
  /// The server that answered, as the discovery spells it.
  [[nodiscard]] std::string_view server() const noexcept { return detail::view(rpcx_reply_server(raw_)); }
  /// Attempts that were made, failed dials included.
  [[nodiscard]] uint32_t attempts() const noexcept { return rpcx_reply_attempts(raw_); }

 private:
  const rpcx_reply* raw_;
};

/// What a call brought back. That of a batch or an inform has no payload but parts: one a call or server.
class Reply {
 public:
  /// Takes over a reply of the C interface.
  explicit Reply(rpcx_reply* raw) noexcept : raw_(raw) {}

  /// A reply, for interceptors that answer by themselves; both are copied.
  [[nodiscard]] static Result<Reply> make(BytesView payload, MetadataView metadata = {}) {
    rpcx_reply* raw = nullptr;
    if (auto* error = rpcx_reply_new(detail::slice(payload.view()), metadata.get(), &raw)) return Error(error);
    return Reply(raw);
  }

  /// The reply, encoded as the call's serialize type says, decompressed.
  [[nodiscard]] std::string_view payload() const noexcept { return view().payload(); }
  /// The response metadata.
  [[nodiscard]] MetadataView metadata() const noexcept { return view().metadata(); }
  /// The server that answered, as the discovery spells it.
  [[nodiscard]] std::string_view server() const noexcept { return view().server(); }
  /// Attempts that were made, failed dials included.
  [[nodiscard]] uint32_t attempts() const noexcept { return view().attempts(); }
  /// The same, borrowed.
  [[nodiscard]] ReplyView view() const noexcept { return ReplyView(raw_.get()); }

  /// How many parts there are: of a batch its calls in the order they were added, of an inform the servers by address.
  [[nodiscard]] size_t parts() const noexcept { return rpcx_reply_parts(raw_.get()); }
  /// What a part, whose number is below parts(), brought back; valid while this reply lives.
  [[nodiscard]] Result<ReplyView> part(size_t index) const {
    if (const auto* part = rpcx_reply_part(raw_.get(), index)) return ReplyView(part);
    if (const auto* error = rpcx_reply_part_error(raw_.get(), index)) return Error(rpcx_error_clone(error));
    return Error("config.bad_argument", "there is no such part");
  }
  /// The server of a part; empty where none was selected.
  [[nodiscard]] std::string_view part_server(size_t index) const noexcept {
    return detail::view(rpcx_reply_part_server(raw_.get(), index));
  }

  /// Gives the reply to the caller, who frees it with rpcx_reply_free().
  [[nodiscard]] rpcx_reply* release() noexcept { return raw_.release(); }

 private:
  detail::Handle<rpcx_reply, rpcx_reply_free> raw_;
};

/// A message that a server sent on its own.
class Push {
 public:
  /// Takes over a message of the C interface.
  explicit Push(rpcx_push* raw) noexcept : raw_(raw) {}

  /// The service path that the server wrote.
  [[nodiscard]] std::string_view service() const noexcept { return detail::view(rpcx_push_service(raw_.get())); }
  /// The method that the server wrote.
  [[nodiscard]] std::string_view method() const noexcept { return detail::view(rpcx_push_method(raw_.get())); }
  /// The address of the server it came from.
  [[nodiscard]] std::string_view server() const noexcept { return detail::view(rpcx_push_server(raw_.get())); }
  /// Its metadata.
  [[nodiscard]] MetadataView metadata() const noexcept { return MetadataView(rpcx_push_metadata(raw_.get())); }
  /// Its payload as it came.
  [[nodiscard]] std::string_view payload() const noexcept { return detail::view(rpcx_push_payload(raw_.get())); }
  /// How the payload is encoded. Go's servers always say raw.
  [[nodiscard]] SerializeType serialize_type() const noexcept {
    return static_cast<SerializeType>(rpcx_push_serialize_type(raw_.get()));
  }

 private:
  detail::Handle<rpcx_push, rpcx_push_free> raw_;
};

}  // namespace rpcx

#endif
