#include "protocol/utf8.hpp"

#include "protocol/topic.hpp"

#include <cstring>

namespace troupe::protocol {

namespace {

using detail::text_kind;

constexpr std::uint64_t every_byte(std::uint8_t x) noexcept {
  return 0x0101010101010101U * x;
}

/// Whether one of the eight bytes asks for a closer look: not ASCII, zero or,
/// if `Wildcards`, one of `+` (0x2B) and `#` (0x23).
template <bool Wildcards>
bool is_special(std::uint64_t word) noexcept {
  // Of an ASCII byte only zero has its top bit set once 1 is taken away. A
  // byte that is not ASCII may borrow from its neighbour, but is found anyway.
  auto found = word | (word - every_byte(1));
  if constexpr (Wildcards) {
    // `+` and `#` differ in bit 3 alone: both become zero here.
    const auto folded = (word | every_byte(0x08)) ^ every_byte(0x2B);
    found |= folded - every_byte(1);
  }
  return (found & every_byte(0x80)) != 0;
}

template <class Word>
std::uint64_t load(const char* at) noexcept {
  Word word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Whether the whole text is ASCII without anything special in it.
template <bool Wildcards>
bool is_ordinary(std::string_view text) noexcept {
  const auto* at = text.data();
  const auto size = text.size();
  if (size >= 8) {
    const auto* const last = at + size - 8; // overlaps the word before it
    for (; at < last; at += 8)
      if (is_special<Wildcards>(load<std::uint64_t>(at)))
        return false;
    return !is_special<Wildcards>(load<std::uint64_t>(last));
  }
  if (size >= 4) {
    const auto word =
      load<std::uint32_t>(at) | load<std::uint32_t>(at + size - 4) << 32;
    return !is_special<Wildcards>(word);
  }
  auto word = every_byte('a');
  for (std::size_t i = 0; i != size; ++i)
    word = word << 8 | static_cast<std::uint8_t>(at[i]);
  return !is_special<Wildcards>(word);
}

/// Bytes of the well-formed character at the front, 0 if there is none
/// (Unicode, table 3-7; U+0000 is none here).
std::size_t character_size(const std::uint8_t* at, std::size_t left) noexcept {
  const auto first = at[0];
  if (first < 0x80)
    return first != 0 ? 1 : 0;
  const auto follows = [&](std::size_t i, std::uint8_t low = 0x80,
                           std::uint8_t high = 0xBF) {
    return i < left && at[i] >= low && at[i] <= high;
  };
  if (first >= 0xC2 && first <= 0xDF)
    return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const std::uint8_t low = first == 0xE0 ? 0xA0 : 0x80;  // else overlong
    const std::uint8_t high = first == 0xED ? 0x9F : 0xBF; // else a surrogate
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const std::uint8_t low = first == 0xF0 ? 0x90 : 0x80;  // else overlong
    const std::uint8_t high = first == 0xF4 ? 0x8F : 0xBF; // else > U+10FFFF
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

text_kind scan_slowly(std::string_view text) noexcept {
  const auto* at = reinterpret_cast<const std::uint8_t*>(text.data());
  auto left = text.size();
  auto found = text_kind::plain;
  while (left != 0) {
    const auto size = character_size(at, left);
    if (size == 0)
      return text_kind::ill_formed;
    if (*at == '+' || *at == '#')
      found = text_kind::with_wildcard;
    at += size;
    left -= size;
  }
  return found;
}

} // namespace

namespace detail {

text_kind scan_topic(std::string_view text) noexcept {
  if (is_ordinary<true>(text)) [[likely]]
    return text_kind::plain;
  return scan_slowly(text);
}

std::size_t character_count(std::string_view text) noexcept {
  std::size_t count = 0;
  for (const auto c : text)
    count += (static_cast<std::uint8_t>(c) & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

} // namespace detail

bool is_valid_utf8(std::string_view text) noexcept {
  return is_ordinary<false>(text) || scan_slowly(text) != text_kind::ill_formed;
}

} // namespace troupe::protocol
