#pragma once
// Numbers and bytes one behind the other, little-endian: what goes to Raft's
// core and comes from it. Inside cluster/ only.

#include <cassert>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>

namespace troupe::cluster {

template <std::unsigned_integral T>
void put_number(std::string& to, T x) {
  for (std::size_t byte = 0; byte < sizeof(T); ++byte)
    to.push_back(static_cast<char>(static_cast<unsigned char>(x >> 8 * byte)));
}

inline void put_bytes(std::string& to, std::span<const std::uint8_t> from) {
  to.append(reinterpret_cast<const char*>(from.data()), from.size());
}

/// Cuts a number off the front of `from`, which holds all of it.
template <std::unsigned_integral T>
T take_number(std::span<const std::uint8_t>& from) {
  assert(from.size() >= sizeof(T));
  std::uint64_t x = 0;
  for (auto byte = sizeof(T); byte-- > 0;)
    x = x << 8 | from[byte];
  from = from.subspan(sizeof(T));
  return static_cast<T>(x);
}

} // namespace troupe::cluster
