#pragma once
// One pass over a string field: is it UTF-8, and does it hold wildcards?

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace troupe::protocol::detail {

enum class text_kind : std::uint8_t {
  plain,         ///< valid UTF-8 without U+0000, `+` and `#`
  with_wildcard, ///< valid UTF-8 with `+` or `#` in it
  ill_formed,    ///< not UTF-8, or U+0000 or a surrogate in it
};

/// Looks at every byte of `text`; eight at a time as long as it is ASCII.
text_kind scan_topic(std::string_view text) noexcept;

/// Code points of valid UTF-8.
std::size_t character_count(std::string_view text) noexcept;

} // namespace troupe::protocol::detail
