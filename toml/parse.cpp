#include "toml/parse.hpp"

namespace troupe {

namespace {

/// The parser and its tables recurse once per part of a dotted key, so a line
/// of ten thousand parts would overflow the stack. Dots in strings
/// (topics, addresses) do not count.
/// @returns the first line with more dots than any key has, or 0.
std::size_t too_deep(std::string_view text) {
  constexpr int most = 32;
  std::size_t line = 1;
  int dots = 0;
  char quote = '\0';
  bool comment = false;
  for (std::size_t i = 0; i != text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') { // a string that goes on is only taken for keys
      ++line;
      dots = 0;
      quote = '\0';
      comment = false;
    } else if (comment) {
      continue;
    } else if (quote != '\0') {
      if (c == '\\' && quote == '"' && i + 1 != text.size()
          && text[i + 1] != '\n')
        ++i;
      else if (c == quote)
        quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#') {
      comment = true;
    } else if (c == '.' && ++dots > most) {
      return line;
    }
  }
  return 0;
}

} // namespace

std::variant<toml::table, toml_mistake> parse_toml(std::string_view text,
                                                   const std::string& name) {
  if (const auto line = too_deep(text))
    return toml_mistake{line, 1,
                        "too many dots outside of texts in one line: no key "
                        "has so many parts"};
  try {
    return toml::parse(text, std::string_view{name});
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    return toml_mistake{at.line, at.column, std::string{error.description()}};
  }
}

} // namespace troupe
