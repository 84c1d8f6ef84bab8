/* What the other headers are made of: ownership of C handles, lambdas as C callbacks. No part of the API. */
#ifndef RPCX_DETAIL_HPP
#define RPCX_DETAIL_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "../rpcx.h"

#if defined(__cpp_exceptions)
#define RPCX_EXCEPTIONS 1
#else
#define RPCX_EXCEPTIONS 0
#endif

#if defined(__cpp_impl_coroutine) && __cpp_impl_coroutine >= 201902L
#define RPCX_COROUTINES 1
#else
#define RPCX_COROUTINES 0
#endif

namespace rpcx {
namespace detail {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* raw) const noexcept {
    Free(raw);
  }
};

/// Owns a handle of the C interface.
template <typename T, auto Free>
using Handle = std::unique_ptr<T, Deleter<Free>>;

using ErrorHandle = Handle<rpcx_error, rpcx_error_free>;

inline std::string_view view(rpcx_slice slice) noexcept {
  return {reinterpret_cast<const char*>(slice.data), slice.len};
}

inline std::string_view view(const char* text) noexcept { return text ? std::string_view(text) : std::string_view(); }

inline rpcx_slice slice(std::string_view bytes) noexcept {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

/// A struct of the C interface: zero but for its size.
template <typename T>
T sized() noexcept {
  T value{};
  value.struct_size = sizeof(T);
  return value;
}

/// Destroys what `user_data` points to.
template <typename T>
void drop(void* user_data) noexcept {
  delete static_cast<T*>(user_data);
}

/// Milliseconds as C has them, rounded up; `none` for zero and below.
template <typename Rep, typename Period>
uint32_t millis(std::chrono::duration<Rep, Period> time, uint32_t none) noexcept {
  if (time <= time.zero()) return none;
  if (time >= std::chrono::milliseconds(RPCX_NO_TIMEOUT - 1)) return RPCX_NO_TIMEOUT - 1;
  return static_cast<uint32_t>(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace detail
}  // namespace rpcx

#endif
