#include "auth/glob.hpp"

namespace troupe::auth {

namespace {

/// Behind the character that begins at `at`.
std::size_t next_character(std::string_view text, std::size_t at) noexcept {
  do
    ++at;
  while (at != text.size()
         && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U);
  return at;
}

} // namespace

bool glob_matches(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0;
  std::size_t t = 0;
  // Only the last star needs to try again: what stood before it has matched,
  // and a longer match of it would leave less for the rest.
  auto star = std::string_view::npos;
  std::size_t star_from = 0;
  while (t != text.size()) {
    if (p != pattern.size() && pattern[p] == '*') {
      star = p++;
      star_from = t;
    } else if (p != pattern.size() && pattern[p] == '?') {
      ++p;
      t = next_character(text, t);
    } else if (p != pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = star_from = next_character(text, star_from);
    } else {
      return false;
    }
  }
  while (p != pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

} // namespace troupe::auth
