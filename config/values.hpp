#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// The types a setting may have beside bool, numbers and strings. A setting
/// that may be absent (`infinity`, `disabled`) is a std::optional of its type.
namespace troupe::config {

using std::chrono::milliseconds;

/// A number of bytes, written `1MB`, `64KB` or `100`. One KB is 1024 bytes.
struct byte_size {
  std::uint64_t count = 0;

  constexpr operator std::uint64_t() const noexcept { return count; }
};

constexpr byte_size operator""_KB(unsigned long long n) noexcept {
  return {n << 10U};
}
constexpr byte_size operator""_MB(unsigned long long n) noexcept {
  return {n << 20U};
}

/// So many in a time, written `1000/s`, `5/100ms` or `20/m`.
struct rate {
  std::uint64_t count = 0;
  milliseconds per{1000};

  friend constexpr bool operator==(const rate&, const rate&) = default;
};

/// So many bytes in a time, written `1MB/s`.
struct byte_rate {
  byte_size bytes;
  milliseconds per{1000};

  friend constexpr bool operator==(const byte_rate& a, const byte_rate& b) {
    return a.bytes.count == b.bytes.count && a.per == b.per;
  }
};

/// Texts in an order, written `["a", "b"]` or `a,b`.
struct text_list {
  std::vector<std::string> texts;

  friend bool operator==(const text_list&, const text_list&) = default;
};

/// Where a listener listens, written `127.0.0.1:1883`, `[::1]:1883`, `:1883`.
struct address {
  std::string host;       ///< numeric, in its shortest form; empty: all
  std::uint16_t port = 0; ///< 0: the system chooses

  /// Whether only programs on this machine can connect to it.
  [[nodiscard]] bool is_loopback() const;
  friend bool operator==(const address&, const address&) = default;
};

/// Whether a changed setting can take effect in a running node.
enum class reload : std::uint8_t { hot, cold };

/// The names of an enumeration's values, in the order of the values, which
/// count from 0. Specialised beside each enumeration.
template <class E>
inline constexpr std::array<std::string_view, 0> choices;

} // namespace troupe::config
