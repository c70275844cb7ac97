#pragma once
// Integers as parts of keys: big-endian, so that keys sort as their numbers do.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::storage {

/// Appends `x` to `key`.
template <std::unsigned_integral T>
constexpr void put(std::string& key, T x) {
  for (auto byte = sizeof(T); byte-- > 0;)
    key.push_back(static_cast<char>(static_cast<unsigned char>(x >> 8 * byte)));
}

/// The integer at `at`. `key` holds all of its bytes.
template <std::unsigned_integral T>
constexpr T get(std::string_view key, std::size_t at = 0) {
  std::uint64_t x = 0;
  for (std::size_t byte = 0; byte < sizeof(T); ++byte)
    x = x << 8 | static_cast<unsigned char>(key[at + byte]);
  return static_cast<T>(x);
}

/// A key made of these integers, in this order.
template <std::unsigned_integral... T>
constexpr std::string key_of(T... parts) {
  std::string key;
  key.reserve((sizeof(T) + ... + 0));
  (put(key, parts), ...);
  return key;
}

/// The least key above all that begin with `prefix`; empty: there is none.
constexpr std::string end_of_prefix(std::string_view prefix) {
  while (!prefix.empty() && prefix.back() == '\xff')
    prefix.remove_suffix(1);
  std::string end{prefix};
  if (!end.empty())
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

} // namespace troupe::storage
