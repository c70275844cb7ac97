#pragma once
// Hashes of topics and client identifiers.

#include <cstdint>
#include <cstring>
#include <string_view>

namespace troupe::protocol {

/// A 64-bit hash by multiplying and folding. It is part of what is stored and
/// sent (a topic's shard, a publisher's identity), so it never changes; tables
/// whose keys strangers choose pass a seed of the process.
inline std::uint64_t hash64(std::string_view text,
                            std::uint64_t seed = 0) noexcept {
  constexpr std::uint64_t k = 0x9E37'79B9'7F4A'7C15;
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    __extension__ using wide = unsigned __int128;
    const auto product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product)
           ^ static_cast<std::uint64_t>(product >> 64);
  };
  const auto* at = text.data();
  auto left = text.size();
  std::uint64_t h = seed ^ (left * k);
  std::uint64_t word = 0;
  while (left >= 8) {
    std::memcpy(&word, at, 8);
    h = fold(h ^ word, k) + 0xD6E8'FEB8'6659'FD93;
    at += 8;
    left -= 8;
  }
  if (left != 0) {
    word = 0;
    std::memcpy(&word, at, left);
    h = fold(h ^ word, k) + 0xA076'1D64'78BD'642F;
  }
  return fold(h ^ (h >> 32), k);
}

} // namespace troupe::protocol
