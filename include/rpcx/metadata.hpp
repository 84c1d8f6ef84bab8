/* Metadata: pairs of text beside a payload. */
#ifndef RPCX_METADATA_HPP
#define RPCX_METADATA_HPP

#include <iterator>

#include "error.hpp"

namespace rpcx {

/// Metadata of another object, valid while that lives. In no order, each key once; keys that begin with "__" belong to the
/// protocol.
///
///     for (auto [key, value] : reply.metadata()) …
class MetadataView {
 public:
  /// A key and its value.
  using value_type = std::pair<std::string_view, std::string_view>;

  /// Walks the pairs.
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = MetadataView::value_type;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;

    /// The end.
    iterator() noexcept = default;
    /// The first pair.
    explicit iterator(const rpcx_metadata* raw) noexcept : raw_(raw) { ++*this; }

    reference operator*() const noexcept { return pair_; }
    pointer operator->() const noexcept { return &pair_; }
    iterator& operator++() noexcept {
      rpcx_slice key{}, value{};
      if (raw_ && rpcx_metadata_next(raw_, &cursor_, &key, &value)) {
        pair_ = {detail::view(key), detail::view(value)};
      } else {
        *this = iterator();
      }
      return *this;
    }
    iterator operator++(int) noexcept {
      iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const iterator& a, const iterator& b) noexcept {
      return a.raw_ == b.raw_ && a.cursor_ == b.cursor_;
    }
    friend bool operator!=(const iterator& a, const iterator& b) noexcept { return !(a == b); }

   private:
    const rpcx_metadata* raw_ = nullptr;
    size_t cursor_ = 0;
    value_type pair_;
  };

  /// No pairs.
  MetadataView() noexcept = default;
  /// Those of the C interface; NULL: none.
  explicit MetadataView(const rpcx_metadata* raw) noexcept : raw_(raw) {}

  /// The value of a key.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view key) const noexcept {
    rpcx_slice value{};
    if (!raw_ || !rpcx_metadata_get(raw_, detail::slice(key), &value)) return std::nullopt;
    return detail::view(value);
  }
  /// How many pairs there are.
  [[nodiscard]] size_t size() const noexcept { return rpcx_metadata_len(raw_); }
  /// Whether there are none.
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// The first pair.
  [[nodiscard]] iterator begin() const noexcept { return raw_ ? iterator(raw_) : iterator(); }
  /// Behind the last pair.
  [[nodiscard]] iterator end() const noexcept { return {}; }
  /// For functions of the C interface; NULL: none.
  [[nodiscard]] const rpcx_metadata* get() const noexcept { return raw_; }

 private:
  const rpcx_metadata* raw_ = nullptr;
};

/// Metadata of one's own. Not to be changed while another thread reads it.
class Metadata {
 public:
  /// No pairs; costs nothing.
  Metadata() noexcept = default;
  Metadata(Metadata&&) noexcept = default;
  Metadata& operator=(Metadata&&) noexcept = default;

  /// A copy, as of a reply's. Fails only when it was made before a fork.
  [[nodiscard]] static Result<Metadata> copy(MetadataView other) {
    Metadata made;
    if (!other.get()) return made;
    rpcx_metadata* raw = nullptr;
    if (auto* error = rpcx_metadata_clone(other.get(), &raw)) return Error(error);
    made.raw_.reset(raw);
    return made;
  }

  /// Sets the value of a key, in place of the one it had. ErrorKind::config when either is not UTF-8.
  Result<void> set(std::string_view key, std::string_view value) {
    if (!raw_) {
      rpcx_metadata* raw = nullptr;
      if (auto* error = rpcx_metadata_new(&raw)) return Error(error);
      raw_.reset(raw);
    }
    return detail::result(rpcx_metadata_set(raw_.get(), detail::slice(key), detail::slice(value)));
  }
  /// Takes a key out; whether it was there.
  bool remove(std::string_view key) noexcept { return raw_ && rpcx_metadata_remove(raw_.get(), detail::slice(key)); }
  /// The pairs.
  [[nodiscard]] MetadataView view() const noexcept { return MetadataView(raw_.get()); }
  /// The pairs.
  operator MetadataView() const noexcept { return view(); }

 private:
  detail::Handle<rpcx_metadata, rpcx_metadata_free> raw_;
};

}  // namespace rpcx

#endif
