#pragma once
// Patterns for names: `*` is any text, `?` is one character.

#include <cstddef>
#include <string_view>

namespace troupe::auth {

/// Bytes that a pattern may have: what a match costs at most is this times the
/// length of the text.
inline constexpr std::size_t glob_size_max = 1'024;

/// Whether the whole of `text`, UTF-8, is what `pattern` describes. Everything
/// but `*` and `?` stands for itself; there is no escape.
bool glob_matches(std::string_view pattern, std::string_view text) noexcept;

} // namespace troupe::auth
