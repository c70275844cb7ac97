#include "server/text.hpp"

#include <fmt/format.h>

namespace troupe::server {

namespace {

/// Those of ASCII, and U+0080 to U+009F, of which UTF-8 makes two bytes.
bool is_control(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0x20U;
  };
  return byte(i) < 0x20 || byte(i) == 0x7F
         || (byte(i) == 0xC2 && byte(i + 1) >= 0x80 && byte(i + 1) < 0xA0);
}

/// @param escape  makes a text of a control character's code
/// @param plain  adds one byte of any other
template <class Escape, class Plain>
std::string written(std::string_view text, Escape escape, Plain plain) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_control(text, i)) {
      plain(made, text[i]);
      continue;
    }
    if (text[i] == '\xC2')
      ++i; // its second byte is the code
    made += escape(static_cast<unsigned char>(text[i]));
  }
  return made;
}

} // namespace

std::string printable(std::string_view text) {
  return written(
    text, [](unsigned code) { return fmt::format("\\x{:02x}", code); },
    [](std::string& to, char c) { to += c; });
}

std::string json_string(std::string_view text) {
  return '"'
         + written(
           text, [](unsigned code) { return fmt::format("\\u{:04x}", code); },
           [](std::string& to, char c) {
             if (c == '"' || c == '\\')
               to += '\\';
             to += c;
           })
         + '"';
}

std::string one_word(std::string_view text) {
  return text.empty() || text.find_first_of(" =\"\\") != std::string_view::npos
           ? json_string(text)
           : printable(text);
}

std::string shortened(std::string_view text, std::size_t longest) {
  if (text.size() <= longest)
    return std::string{text};
  auto end = longest; // between characters
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  return std::string{text.substr(0, end)} + "...";
}

} // namespace troupe::server
